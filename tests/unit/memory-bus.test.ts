import { expect, test } from "vitest";
import type { Batch } from "../../runtime/bus.ts";
import { memoryBus } from "../../runtime/buses/memory/index.ts";
import { Unavailable } from "../../runtime/errors.ts";
import { eventually, everything, message, probe, settle, settleAll, text } from "../support/probe.ts";

const numbers = (topic: string, from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => message(topic, "key", String(from + n)));
const sequence = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => String(from + n));
const nothing = async () => undefined;

test("a topic that no group reads keeps its newest records", async () => {
  await using bus = disposable(memoryBus({ partitions: 1, keep: 3 }));
  await bus.create([{ topic: "Tail" }]);
  await bus.send(numbers("Tail", 0, 5_000));
  expect((await everything(bus, "Tail")).map(text)).toEqual(["4997", "4998", "4999"]);
  expect(await bus.state("any", "Tail")).toMatchObject([{ low: 4_997n, end: 5_000n }]);
});

test("a topic kept for ever keeps them all", async () => {
  await using bus = disposable(memoryBus({ partitions: 1, keep: 3 }));
  await bus.create([{ topic: "Error", keepForever: true }]);
  await bus.send(numbers("Error", 0, 5_000));
  expect(await everything(bus, "Error")).toHaveLength(5_000);
});

test("a group that has gone misses nothing; what every group has read is freed", async () => {
  await using bus = disposable(memoryBus({ partitions: 1, keep: 0 }));
  await bus.create([{ topic: "Source" }]);
  const gone = await probe(bus, { topic: "Source", group: "slow" });
  await gone.subscription.stop(Date.now());
  const quick = await probe(bus, { topic: "Source", group: "quick" });
  await bus.send(numbers("Source", 0, 3_000));
  await eventually(() => quick.records.length === 3_000);
  expect(await bus.state("slow", "Source")).toMatchObject([{ low: 0n, position: 0n, end: 3_000n }]);
  const back = await probe(bus, { topic: "Source", group: "slow" });
  await eventually(() => back.records.length === 3_000);
  expect(back.records.map(text)).toEqual(sequence(0, 3_000));
  expect(await bus.state("slow", "Source")).toMatchObject([{ low: 3_000n, end: 3_000n }]);
});

test("who sends from outside waits for room, in order", async () => {
  await using bus = disposable(memoryBus({ partitions: 1, capacity: 10 }));
  await bus.create([{ topic: "Source" }]);
  const { records, batches } = await probe(bus, { topic: "Source", group: "group" }, nothing);
  const sent: number[] = [];
  const sends = Array.from({ length: 15 }, (_, n) => bus.send(numbers("Source", n, n + 1)).then(() => sent.push(n)));
  await eventually(() => records.length === 10);
  expect(sent).toHaveLength(10);
  await settle(batches[0]!, [{ index: 0, out: [] }]);
  await eventually(() => records.length === 11);
  expect(sent).toHaveLength(11);
  await Promise.all(batches.map((batch, n) => (n === 0 ? settleRest(batch) : settleAll(batch))));
  await Promise.all(sends);
  await eventually(() => records.length === 15);
  expect(records.map(text)).toEqual(sequence(0, 15));
});

test("a settlement does not wait for room, and what it sends holds back those outside", async () => {
  await using bus = disposable(memoryBus({ partitions: 1, capacity: 10 }));
  await bus.create([{ topic: "Source" }, { topic: "Log" }]);
  const log = await probe(bus, { topic: "Log", group: "log" }, nothing);
  const source = await probe(bus, { topic: "Source", group: "source" }, (batch) =>
    settle(
      batch,
      batch.records.map((_, index) => ({ index, out: numbers("Log", 0, 10) })),
    ),
  );
  const sending = bus.send(numbers("Source", 0, 20));
  let sent = false;
  void sending.then(() => (sent = true));
  await eventually(() => log.records.length >= 100);
  expect(sent).toBe(false);
  expect(source.records).toHaveLength(10);
  await Promise.all(log.batches.map(settleAll));
  await sending;
});

test("a full lane of one topic does not hold back sends to another", async () => {
  await using bus = disposable(memoryBus({ partitions: 1, capacity: 10 }));
  await bus.create([{ topic: "Source" }, { topic: "Audit" }]);
  await probe(bus, { topic: "Source", group: "source" }, nothing);
  const audit = await probe(bus, { topic: "Audit", group: "audit" });
  const waiting = bus.send(numbers("Source", 0, 20)).catch((error: unknown) => error);
  await bus.send(numbers("Audit", 0, 5));
  await eventually(() => audit.records.length === 5);
  await bus.close();
  expect(await waiting).toBeInstanceOf(Unavailable);
});

test("timers run while messages go round and round", async () => {
  await using bus = disposable(memoryBus());
  await bus.create([{ topic: "Round" }]);
  const { records } = await probe(bus, { topic: "Round", group: "group" }, (batch) =>
    settle(
      batch,
      batch.records.map((record, index) => ({ index, out: [record] })),
    ),
  );
  await bus.send(numbers("Round", 0, 10));
  for (let n = 0; n < 5; n++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(records.length).toBeGreaterThan(10);
});

test("records without a key go to the lanes in turn", async () => {
  await using bus = disposable(memoryBus({ partitions: 3 }));
  await bus.create([{ topic: "Source" }]);
  await bus.send(Array.from({ length: 9 }, (_, n) => message("Source", null, String(n))));
  expect((await bus.state("any", "Source")).map(({ end }) => end)).toEqual([3n, 3n, 3n]);
});

test("after close, sending says so", async () => {
  const bus = memoryBus();
  await bus.create([{ topic: "Source" }]);
  await bus.close();
  await expect(bus.send(numbers("Source", 0, 1))).rejects.toThrow(/closed/);
});

const settleRest = (batch: Batch) =>
  settle(
    batch,
    batch.records.slice(1).map((_, n) => ({ index: n + 1, out: [] })),
  );

function disposable<T extends { close(): Promise<void> }>(bus: T): T & AsyncDisposable {
  return Object.assign(bus, { [Symbol.asyncDispose]: () => bus.close() });
}
