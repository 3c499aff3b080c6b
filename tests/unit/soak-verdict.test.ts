import { expect, test } from "vitest";
import { verdict, type Sample } from "../soak/verdict.ts";

/** An hour, a sample a minute, with a little noise. */
const hour = (of: (minute: number) => Partial<Sample>): Sample[] =>
  Array.from({ length: 60 }, (_, minute) => ({
    minutes: minute + 1,
    rssMB: 150 + (minute % 7),
    heapMB: 30 + (minute % 3),
    externalMB: 5,
    handles: { TCPSocketWrap: 5 + (minute % 2), Timeout: 3 + (minute % 3) },
    lag: 100 * (minute % 4),
    ...of(minute),
  }));

test("an hour that is flat is flat, and what grows is found", () => {
  expect(
    verdict(
      hour(() => ({})),
      1_000,
    ),
  ).toEqual([]);
  expect(
    verdict(
      hour((minute) => ({ heapMB: 30 + minute / 5 })),
      1_000,
    ),
  ).toEqual([expect.stringMatching(/^heap grows by/)]);
  const bursts = (minute: number) => ({ heapMB: 30 + (minute % 5) * 20, lag: (minute % 5) * 1_000 });
  expect(verdict(hour(bursts), 1_000)).toEqual([]);
  expect(verdict(hour((minute) => ({ rssMB: 150 + minute })).slice(0, 10), 1_000)).toEqual([]);
  expect(verdict(hour((minute) => ({ rssMB: 150 + minute * 20 })).slice(0, 10), 1_000)).toEqual([
    expect.stringMatching(/^rss grows by/),
  ]);
  const sockets = (minute: number) => ({ handles: { TCPSocketWrap: 5 + Math.floor(minute / 10) } });
  expect(verdict(hour(sockets), 1_000)).toEqual(["of TCPSocketWrap there were 6 at least, and then 9"]);
  expect(
    verdict(
      hour((minute) => ({ lag: minute * 1_000 })),
      1_000,
    ),
  ).toEqual([expect.stringContaining("messages wait")]);
});
