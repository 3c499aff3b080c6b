import { connect, type MetroBus } from "metrobus";
import { afterEach, beforeEach, expect, test } from "vitest";
import { push } from "../../../data-gen/pusher.ts";

let bus: MetroBus;
beforeEach(async () => {
  bus = await connect({ METROBUS_BUS: "memory", METROBUS_STATS: "memory", METROBUS_PARTITIONS: "1" });
  await bus.create(["Source"]);
});
afterEach(() => bus.close());

async function pushed() {
  const records = await Array.fromAsync(bus.bus.read("Source", "0", 0n, 10_000));
  return records.map(({ key, value, headers }) => ({
    key: String(key),
    value: JSON.parse(String(value)) as { x: number; account_number: number },
    headers: headers.map(([name, header]) => [name, String(header)]),
  }));
}

test("every message is on the bus, keyed by its account, with the run in its header", async () => {
  expect(await push(bus, { count: 900, rate: 0, run: "r1" })).toBe(900);
  const records = await pushed();
  expect(records.map(({ value }) => value.x)).toEqual(Array.from({ length: 900 }, (_, x) => x));
  for (const { key, value, headers } of records) {
    expect(key).toBe(String(value.account_number));
    expect(headers).toEqual([["run", "r1"]]);
  }
});

test("a run without a name has one of its own", async () => {
  await push(bus, { count: 1, rate: 0 });
  await push(bus, { count: 1, rate: 0 });
  expect(new Set((await pushed()).map(({ headers }) => headers[0]![1])).size).toBe(2);
});

test("the same seed pushes the same messages, another others", async () => {
  for (const seed of [1, 1, 2]) await push(bus, { count: 100, rate: 0, seed });
  const values = (await pushed()).map(({ value }) => value);
  expect(values.slice(100, 200)).toEqual(values.slice(0, 100));
  expect(values.slice(200)).not.toEqual(values.slice(0, 100));
});

test("it pushes no more once the signal aborts, and tells how many are on the bus", async () => {
  const ending = new AbortController();
  const heard: number[] = [];
  const sent = await push(bus, {
    count: 1_000_000,
    rate: 20,
    signal: ending.signal,
    onProgress: (count) => {
      heard.push(count);
      if (count >= 3) ending.abort();
    },
  });
  expect(sent).toBe(heard.at(-1));
  expect(await pushed()).toHaveLength(sent);
  expect(sent).toBeLessThan(1_000_000);
});

test("a bus that refuses is the pusher's error", async () => {
  await bus.close();
  await expect(push(bus, { count: 10, rate: 0 })).rejects.toThrow();
});

test("between messages that are years apart it sleeps, until the signal aborts", async () => {
  const ending = new AbortController();
  let looks = 0;
  const pushing = push(bus, { rate: 1e-300, signal: ending.signal, onProgress: () => looks++ });
  await expect.poll(() => looks).toBe(1);
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  ending.abort();
  expect(await pushing).toBe(1);
  expect(looks).toBe(1);
});
