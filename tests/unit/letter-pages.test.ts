import { deadLetters, type DeadLetters, type Letter, type LetterFilter, type Outgoing } from "metrobus";
import { expect, test } from "vitest";
import { line, type Line } from "../support/line.ts";
import { message } from "../support/probe.ts";

const letter = (n: number, stop = "Check"): Outgoing => ({
  ...message("Error", `${n % 1_000}`, String(n)),
  headers: [["dead-letter.stop", Buffer.from(stop)]],
});

/** Each hundred a millisecond later than the one before. */
async function write(bus: Line, from: number, to: number, stop?: string): Promise<void> {
  await bus.metro.bus.create([{ topic: "Error", keepForever: true }]);
  for (let n = from; n < to; n += 100) {
    const written = Date.now();
    await bus.metro.bus.send(Array.from({ length: Math.min(100, to - n) }, (_, at) => letter(n + at, stop)));
    while (Date.now() === written) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** All pages one after the other, and how many letters each looked at. */
async function pages(letters: DeadLetters, limit: number, filter?: LetterFilter) {
  const found: Letter[] = [];
  const looked: number[] = [];
  for (let before: string | undefined; ;) {
    const page = await letters.page({ limit, before, ...(filter && { filter }) });
    expect(page.letters.length).toBeLessThanOrEqual(limit);
    found.push(...page.letters);
    looked.push(page.looked);
    if (!page.more) return { found, looked };
    before = page.more.cursor;
  }
}

const numbers = (letters: readonly Letter[]) => letters.map(({ value }) => Number(value));

test("the newest of thousands in several partitions, newest first, without looking at the others", async () => {
  await using bus = await line({ METROBUS_PARTITIONS: "3" });
  await write(bus, 0, 12_000);
  const { letters, looked, back, more } = await deadLetters(bus.metro).page({ limit: 5, filter: { key: "7" } });
  expect(numbers(letters)).toEqual([11_007, 10_007, 9_007, 8_007, 7_007]);
  expect(looked).toBeLessThan(6_000);
  expect(back).toBeLessThanOrEqual(letters.at(-1)!.time);
  expect(more).not.toBeNull();
});

test.for([1, 7, 400, 1_000])("pages of %i have each letter once, newest first", async (limit) => {
  await using bus = await line({ METROBUS_PARTITIONS: "3" });
  await write(bus, 0, 1_000);
  const { found, looked } = await pages(deadLetters(bus.metro), limit);
  expect(numbers(found).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
  expect(found.map(({ time }) => time)).toEqual(found.map(({ time }) => time).toSorted((a, b) => b - a));
  expect(looked.reduce((sum, n) => sum + n)).toBe(1_000);
});

test("what comes meanwhile does not move the pages behind the first", async () => {
  await using bus = await line({ METROBUS_PARTITIONS: "2" });
  await write(bus, 0, 300);
  const letters = deadLetters(bus.metro);
  const first = await letters.page({ limit: 100 });
  await write(bus, 300, 500);
  const second = await letters.page({ limit: 100, before: first.more!.cursor });
  const third = await letters.page({ limit: 300, before: second.more!.cursor });
  // Those of the same millisecond may stand on either page.
  const all = [first, second, third].flatMap((page) => numbers(page.letters));
  expect([first.letters.length, second.letters.length, third.more]).toEqual([100, 100, null]);
  expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, n) => n));
});

test("a filter that fits next to nothing looks at 20,000 letters at a time, and says so", async () => {
  await using bus = await line({ METROBUS_PARTITIONS: "2" });
  await write(bus, 0, 10, "Rare");
  await write(bus, 10, 45_000);
  const letters = deadLetters(bus.metro);
  const page = await letters.page({ limit: 20, filter: { stop: "Rare" } });
  expect(page).toMatchObject({ letters: [], looked: 20_000, back: expect.any(Number) });
  const { found, looked } = await pages(letters, 20, { stop: "Rare" });
  expect(numbers(found).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(looked).toEqual([20_000, 20_000, 5_000]);
});

test("letters that are named are found wherever they are", async () => {
  await using bus = await line({ METROBUS_PARTITIONS: "1" });
  await write(bus, 0, 30_000);
  const ids = ["0-3", "0-2", "0-99999"];
  const { letters, looked, more } = await deadLetters(bus.metro).page({ limit: 10, filter: { ids } });
  expect(letters.map(({ id }) => id)).toEqual(["0-3", "0-2"]);
  expect({ looked, more }).toEqual({ looked: 2, more: null });
});

test("an empty topic has one page with nothing on it", async () => {
  await using bus = await line();
  await bus.metro.bus.create([{ topic: "Error" }]);
  const nothing = { letters: [], more: null, looked: 0, back: null };
  expect(await deadLetters(bus.metro).page({ limit: 10 })).toEqual(nothing);
});

test("what is no cursor, or no number of letters, is an error that says what to do", async () => {
  await using bus = await line();
  await bus.metro.bus.create([{ topic: "Error" }]);
  const letters = deadLetters(bus.metro);
  for (const before of ["", "x", "0-1.", "0--1", "0-1;1-2", "9".repeat(5_000)])
    await expect(letters.page({ limit: 10, before })).rejects.toThrow(/is no place in a topic: take the cursor/);
  for (const limit of [0, -1, 1.5, Number.NaN, 1_001])
    await expect(letters.page({ limit })).rejects.toThrow(`a page of ${limit} can't be had: ask for 1 to 1,000`);
  await expect(letters.page({ limit: 10, filter: { ids: ["2"] } })).rejects.toThrow("is no letter's id");
});

test("a cursor of partitions that are gone, or beyond the end, is no error", async () => {
  await using bus = await line({ METROBUS_PARTITIONS: "2" });
  await write(bus, 0, 10);
  const letters = deadLetters(bus.metro);
  expect((await letters.page({ limit: 100, before: "0-999999.1-999999.7-3" })).letters).toHaveLength(10);
  expect((await letters.page({ limit: 100, before: "7-3" })).letters).toEqual([]);
});

test("what was done is told newest first too, page by page, of all letters or of one", async () => {
  await using bus = await line({ METROBUS_PARTITIONS: "1" });
  await write(bus, 0, 5);
  const letters = deadLetters(bus.metro);
  expect(await letters.auditPage({ limit: 10 })).toEqual({ actions: [], more: null, looked: 0, back: null });
  for (const n of [0, 1, 2])
    await letters.discard({ ids: [`0-${n}`] }, { reason: `the ${n}th`, by: n === 1 ? "ann" : "joe" });
  const first = await letters.auditPage({ limit: 4 });
  expect(first.actions.map(({ letter, outcome, by }) => `${letter} ${outcome} ${by}`)).toEqual([
    "0-2 done joe",
    "0-2 asked joe",
    "0-1 done ann",
    "0-1 asked ann",
  ]);
  const second = await letters.auditPage({ limit: 4, before: first.more!.cursor });
  expect(second.actions.map(({ letter }) => letter)).toEqual(["0-0", "0-0"]);
  expect(second.more).toBeNull();
  const { actions } = await letters.auditPage({ limit: 10, letter: "0-1" });
  expect(actions).toMatchObject([
    { letter: "0-1", action: "discard", outcome: "done", why: "the 1th", time: expect.any(Number) },
    { letter: "0-1", outcome: "asked" },
  ]);
});
