import { beforeEach, expect, test } from "vitest";
import { stallWatch } from "../../runtime/buses/kafka/stalls.ts";

const standing = (): { partition: number; owed: string | null; settler: { asked: number } } => ({
  partition: 0,
  owed: "the record at 7",
  settler: { asked: 0 },
});
let lane = standing();
let there = true;
let replaced: number[] = [];
let failed: Error[] = [];
let looks = 0;
beforeEach(() => {
  [lane, there, replaced, failed, looks] = [standing(), true, [], [], 0];
});

const watch = () =>
  stallWatch(
    () => (there ? ([lane] as never) : []),
    () => replaced.push(looks),
    (error) => failed.push(error),
  );

function look(stalls: ReturnType<typeof watch>, times: number): void {
  for (let n = 0; n < times; n++) {
    looks++;
    stalls.look();
  }
}

test("a client that brings nothing is replaced once, after 25 s, and given up after 55 s, in words", () => {
  const stalls = watch();
  expect(stalls.problem()).toBeNull();
  look(stalls, 10);
  expect(stalls.problem()).toMatch(/partition 0 has stood still for 50 s/);
  expect([replaced, failed]).toEqual([[5], []]);
  look(stalls, 1);
  expect(failed.map(String)).toEqual([
    expect.stringMatching(/partition 0 has stood still for 55 s.*a new connection did not help/),
  ]);
});

test("while it joins anew its partitions are away, which is no progress", () => {
  const stalls = watch();
  look(stalls, 5);
  there = false;
  look(stalls, 2);
  there = true;
  look(stalls, 6);
  expect([replaced, failed.length]).toEqual([[5], 1]);
});

test.each([
  ["it moves", () => (lane.owed = "the record at 8")],
  ["it has work", () => (lane.owed = null)],
  ["it belongs to somebody else", () => (there = false)],
])("not when %s", (_what, excuse) => {
  const stalls = watch();
  look(stalls, 4);
  excuse();
  look(stalls, 4);
  expect([replaced, failed]).toEqual([[], []]);
});

test("not while the brokers are away, nor soon after", () => {
  const stalls = watch();
  look(stalls, 4);
  stalls.away();
  look(stalls, 4);
  expect([replaced, failed]).toEqual([[], []]);
});

test("results that the brokers don't take are told of, and neither the client is replaced nor the stop given up", () => {
  const stalls = watch();
  Object.assign(lane, { owed: null, settler: { asked: 7 } });
  look(stalls, 20);
  expect(stalls.problem()).toMatch(/not taken the results of partition 0 for 100 s/);
  expect([replaced, failed]).toEqual([[], []]);
  lane.settler.asked = 8;
  look(stalls, 1);
  expect(stalls.problem()).toBeNull();
});
