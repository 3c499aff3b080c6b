import { expect, test } from "vitest";
import type { Received } from "../../runtime/bus.ts";
import { Lane, type LaneHolder, type Settler } from "../../runtime/buses/kafka/lane.ts";

const nothing = () => undefined;
const settler: Settler = {
  prepare: () => Promise.resolve(),
  settle: () => Promise.resolve(),
  look: nothing,
  idle: true,
  asked: 0,
  ready: true,
  close: () => Promise.resolve(),
};

const record = (offset: number): Received => ({
  topic: "T",
  lane: "0",
  position: String(offset),
  timestamp: 0,
  key: null,
  value: null,
  headers: [],
});
const records = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => record(from + n));

/** A lane, the offsets that it has given out, and how its fetching was switched. */
function lane(): { lane: Lane; given: string[]; fetching: boolean[] } {
  const given: string[] = [];
  const fetching: boolean[] = [];
  const holder: LaneHolder = {
    onBatch: async (batch) => void given.push(...batch.records.map(({ position }) => position)),
    open: () => true,
    changed: nothing,
    fetching: (_, on) => {
      fetching.push(on);
      ours.paused = !on;
    },
    fail: nothing,
    lanes: () => 1,
    settler: () => settler,
  };
  const ours = new Lane(0, holder);
  return { lane: ours, given, fetching };
}

test("what ends below what was read, since it was on its way before a seek, does not take the lane back", () => {
  const { lane: ours } = lane();
  ours.begin(0, 0);
  ours.push(records(0, 10), 0, 10);
  // The older ones are left out when they are received.
  ours.push([], 3, 6);
  expect(ours.next).toBe(10);
});

test("what was fetched before the position was known is used from there on, or not at all when it begins behind it", async () => {
  const { lane: covered, given } = lane();
  covered.push(records(3, 8), 3, 8);
  expect([covered.begin(5, 5), covered.next]).toEqual([true, 8]);
  await Promise.resolve();
  expect(given).toEqual(["5", "6", "7"]);

  const { lane: behind, given: none } = lane();
  behind.push(records(9, 12), 9, 12);
  expect([behind.begin(5, 5), behind.next]).toEqual([false, 5]);
  await Promise.resolve();
  expect(none).toEqual([]);
});

test("a lane that stopped fetching before its position was known goes on when none of that is needed", () => {
  const { lane: ours, fetching } = lane();
  const large = { ...record(0), value: Buffer.alloc(1024 * 1024) };
  ours.push([large], 0, 1);
  expect(fetching).toEqual([false]);
  ours.begin(1, 1);
  expect(fetching).toEqual([false, true]);
});

test("what a lane waits for before it begins is told", () => {
  const { lane: ours } = lane();
  expect(ours.owed).toBe("its position");
  ours.isUncertain = true;
  expect(ours.owed).toBe("the end of a transaction that may move its position");
  ours.begin(0, 0);
  expect(ours.owed).toBeNull();
});
