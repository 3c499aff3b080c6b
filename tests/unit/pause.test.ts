import { describe, expect, test } from "vitest";
import { line, type Line } from "../support/line.ts";
import { eventually } from "../support/probe.ts";

/** Pauses or resumes a stop of the line, and waits until it has heard of it. */
async function order(bus: Line, stop: { topic: string; health(): { paused: boolean } }, paused: boolean) {
  const { stats } = bus.metro;
  await (paused ? stats.pause(stop.topic, "ann") : stats.resume(stop.topic));
  await eventually(() => stop.health().paused === paused);
}

const send = (bus: Line, topic: string, ...numbers: readonly number[]) =>
  Promise.all(numbers.map((n) => bus.metro.send(topic, { n }, { key: `key ${n % 3}`, route: [] })));

const into = (seen: number[]) => (message: { n: number }) => {
  seen.push(message.n);
  return null;
};

describe.each([1, 8])("a paused stop, concurrency %i", (concurrency) => {
  test("holds its messages and no other's, is well, and goes on in order", async () => {
    await using bus = await line();
    const seen: Record<string, number[]> = { A: [], B: [] };
    const take = (topic: string) => bus.stop(topic, into(seen[topic]!), { concurrency });
    const [a] = [await take("A"), await take("B")];
    await send(bus, "A", 1);
    await eventually(() => seen["A"]!.length === 1);
    await order(bus, a, true);
    await send(bus, "A", 2, 3, 4, 5, 6, 7);
    await send(bus, "B", 1, 2, 3);
    await eventually(() => seen["B"]!.length === 3);
    await bus.metro.recorder.flush();
    expect(seen["A"]).toEqual([1]);
    expect(a.health()).toMatchObject({ ready: true, stuck: false, problems: [], lag: 6 });

    await order(bus, a, false);
    await eventually(() => seen["A"]!.length === 7);
    expect(seen["A"]).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test("is one that is paused before it begins, and ends at once; its messages come to whoever resumes", async () => {
    await using bus = await line();
    await bus.metro.stats.pause("A", "ann");
    await bus.metro.create(["A"]);
    await send(bus, "A", 1, 2, 3);
    const seen: number[] = [];
    const take = () => bus.stop("A", into(seen), { concurrency });
    const first = await take();
    await eventually(() => first.health().lag === 3);
    expect(first.health().paused).toBe(true);
    await first.stop();
    expect(seen).toEqual([]);

    const second = await take();
    await eventually(() => second.health().paused);
    await order(bus, second, false);
    await eventually(() => seen.length === 3);
    expect(seen).toEqual([1, 2, 3]);
  });
});

test("what is being worked on when a stop is paused comes to its end", async () => {
  await using bus = await line();
  const release = Promise.withResolvers<void>();
  const stop = await bus.stop("A", async () => {
    await release.promise;
    return null;
  });
  await send(bus, "A", 1, 2);
  await eventually(() => stop.health().lag === 2);
  await order(bus, stop, true);
  release.resolve();
  await eventually(() => stop.health().lag === 1);
});

test("a stop tells of itself: its group, its partitions, and that it is paused", async () => {
  await using bus = await line({ METROBUS_PARTITIONS: "2", METROBUS_VERSION: "2026.11" });
  const stop = await bus.stop("A", () => null);
  await order(bus, stop, true);
  await eventually(async () => (await bus.metro.stats.read()).instances[0]?.stops[0]?.paused === true);
  const { instances } = await bus.metro.stats.read();
  const lane = { position: 0, end: 0, movedAt: 0, standingMs: 0, growth: null };
  expect(instances).toMatchObject([
    {
      pid: process.pid,
      version: "2026.11",
      stops: [
        {
          stop: "A",
          group: "metrobus.A",
          delivery: "at-least-once",
          problems: [],
          lanes: [
            { lane: "0", ...lane },
            { lane: "1", ...lane },
          ],
        },
      ],
    },
  ]);
  await stop.stop();
  expect((await bus.metro.stats.read()).instances).toEqual([]);
});

test("it tells for how long a partition has stood still with messages waiting", async () => {
  await using bus = await line();
  const release = Promise.withResolvers<void>();
  await bus.stop("A", async () => {
    await release.promise;
    return null;
  });
  const lane = async () => {
    await bus.metro.recorder.flush();
    return (await bus.metro.stats.read()).instances[0]?.stops[0]?.lanes[0];
  };
  await eventually(async () => (await lane())?.standingMs === 0);
  await send(bus, "A", 1, 2);
  await eventually(async () => ((await lane())?.standingMs ?? 0) > 0);
  expect(await lane()).toMatchObject({ position: 0, end: 2 });
  release.resolve();
  await eventually(async () => (await lane())?.position === 2);
  expect(await lane()).toMatchObject({ standingMs: 0 });
});
