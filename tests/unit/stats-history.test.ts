import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_FROMS, SPANS, type Count, type Span } from "../../runtime/stats-store.ts";
import { stopCounts } from "../../runtime/stop-counts.ts";
import { memoryStats } from "../../runtime/stats-stores/memory.ts";
import { line } from "../support/line.ts";
import { eventually } from "../support/probe.ts";

const DAY = 86_400_000;
const BEGIN = 1_700_000_123_456;

test("each step of a history has what was written in it, through silences, for a day", async () => {
  const writes = fc.array(
    fc.record({ at: fc.integer({ min: 0, max: DAY + 3_600_000 }), count: fc.integer({ min: 1, max: 1_000 }) }),
    { maxLength: 200 },
  );
  await fc.assert(
    fc.asyncProperty(writes, async (given) => {
      let clock = BEGIN;
      const store = memoryStats(() => clock);
      const inOrder = given.toSorted((a, b) => a.at - b.at);
      for (const [n, { at, count }] of inOrder.entries()) {
        clock = BEGIN + at;
        const counts: Count[] = [{ outcome: "arrived", detail: "", count }];
        const done = { counts, worked: { 7: count }, waited: {}, from: [], lastSeen: clock, gaps: 0 };
        await store.write({ instance: "me", sequence: n + 1, coversMs: 250, stops: [{ stop: "A", ...done }] });
      }
      clock = BEGIN + DAY + 3_600_000;
      for (const span of Object.keys(SPANS) as Span[]) {
        const { stepMs, steps } = SPANS[span];
        const found = await store.history("A", span);
        expect(found).toHaveLength(steps);
        expect(found.at(-1)!.at).toBe(Math.floor(clock / stepMs) * stepMs);
        for (const { at, counts, worked } of found) {
          const truth = inOrder.filter((each) => Math.floor((BEGIN + each.at) / stepMs) * stepMs === at);
          const sum = truth.reduce((total, { count }) => total + count, 0);
          expect(counts).toEqual(sum > 0 ? [{ outcome: "arrived", detail: "", count: sum }] : []);
          expect(worked).toEqual(sum > 0 ? { 7: sum } : {});
        }
      }
    }),
    { numRuns: 30 },
  );
});

test("waiting times are kept apart by the stop that a message came from", async () => {
  await using bus = await line();
  await bus.stop("Source", (payload: object) => payload);
  await bus.stop("Log", () => null);
  await bus.metro.create(["Source", "Log"]);
  for (let n = 0; n < 3; n++) await bus.metro.send("Source", { n }, { route: ["Log"] });
  for (let n = 0; n < 2; n++) await bus.metro.send("Log", { n }, { route: [] });
  const from = async (name: string) => {
    const stop = (await bus.metro.stats.read()).stops.find(({ stop }) => stop === name);
    const sums = (stop?.from ?? []).map(({ stop, waited }) => [stop, Object.values(waited).reduce((a, b) => a + b, 0)]);
    return Object.fromEntries(sums) as Record<string, number>;
  };
  await eventually(async () => (await from("Log"))["Source"] === 3 && (await from("Log"))[""] === 2);
  expect(await from("Source")).toEqual({ "": 3 });
});

test("more stops than can be kept apart, and what is no stop, are kept together", () => {
  const counts = stopCounts();
  for (let n = 0; n < MAX_FROMS + 5; n++) counts.times(1, 1, `Stop-${n}`);
  counts.times(1, 1, "Stop-0");
  const from = counts.take()!.from.map(({ stop, waited }) => [stop, waited[39]]);
  expect(from).toHaveLength(MAX_FROMS + 1);
  expect(Object.fromEntries(from)).toMatchObject({ "Stop-0": 2, "Stop-1": 1, "*": 5 });
  const others = stopCounts();
  others.times(1, 1, "no topic: é");
  expect(others.take()!.from).toEqual([{ stop: "*", waited: { 39: 1 } }]);
});
