import { beforeEach, expect, test } from "vitest";
import { progressWatch } from "../../runtime/stuck-lanes.ts";

let seconds = 0;
let lag = 5n;
let position = 0n;
let working = false;
let lanes = ["0", "1"];
let answer: () => Promise<unknown> = async () => undefined;

beforeEach(() => {
  [seconds, lag, position, working, lanes, answer] = [0, 5n, 0n, false, ["0", "1"], async () => undefined];
});

/** Of two lanes the first has nothing waiting; the other is what the tests are about. */
const watch = () =>
  progressWatch(
    {
      lanes: () => lanes.map((lane) => ({ lane, low: 0n, position, end: position + (lane === "0" ? 0n : lag) })),
      busy: (lane) => lane === "1" && working,
      ask: () => answer(),
    },
    () => seconds * 1_000,
  );

/** Looks once a second; returns after how many the lane was found stuck, if it was. */
async function stuckAfter(look: ReturnType<typeof watch>, atMost: number): Promise<number | null> {
  const begin = seconds;
  for (; seconds <= begin + atMost; seconds++) {
    await look.look();
    if (look.stuck().length > 0) return seconds - begin;
  }
  return null;
}

test("a lane that stands still for 55 s with records waiting is stuck, until it moves", async () => {
  const look = watch();
  expect(await stuckAfter(look, 1_000)).toBe(56);
  expect(look.stuck()).toEqual(["1"]);
  position++;
  expect(await stuckAfter(look, 54)).toBe(null);
});

test.each([
  ["nothing waits", () => (lag = 0n)],
  ["something is under way", () => (working = true)],
  ["the lane belongs to somebody else", () => (lanes = ["0"])],
])("it is not while %s, nor for 55 s after", async (_what, excuse) => {
  const look = watch();
  expect(await stuckAfter(look, 54)).toBe(null);
  excuse();
  expect(await stuckAfter(look, 1_000)).toBe(null);
  [lag, working, lanes] = [5n, false, ["0", "1"]];
  expect(await stuckAfter(look, 1_000)).toBe(56);
});

test.each([
  ["rejects", () => Promise.reject(new Error("no broker"))],
  ["takes long", async () => (seconds += 20)],
])("it is not while the bus is away and asking it %s, nor for 55 s after", async (_how, away) => {
  const look = watch();
  answer = away;
  expect(await stuckAfter(look, 1_000)).toBe(null);
  answer = async () => undefined;
  expect(await stuckAfter(look, 1_000)).toBeGreaterThan(40);
});

test("a bus that does not answer at all is asked once, and nothing is found meanwhile", async () => {
  const look = watch();
  let asked = 0;
  answer = () => {
    asked++;
    return new Promise(() => undefined);
  };
  for (; seconds < 200; seconds++) void look.look();
  expect(asked).toBe(1);
  expect(look.stuck()).toEqual([]);
});
