import { expect, test } from "vitest";
import type { Batch } from "../../runtime/bus.ts";
import { memoryBus } from "../../runtime/buses/memory/index.ts";
import { hop, type HopOptions } from "../../runtime/hop.ts";
import { createLogger } from "../../runtime/logger.ts";
import { pauseGate } from "../../runtime/pause-gate.ts";
import type { Visit } from "../../runtime/visit.ts";
import { eventually, message, text } from "../support/probe.ts";

const OPEN = pauseGate();
OPEN.set(false);
const DROPPING: HopOptions = {
  stop: "T",
  rules: { maxHops: 64, deadLetterTopic: "Error" },
  log: createLogger({ logLevel: "silent", logFormat: "json" }),
  halt: new AbortController().signal,
  trips: null,
  handler: () => ({ kind: "drop", reason: "why" }),
  concurrency: 1,
  gate: OPEN,
  settled: () => undefined,
  lost: () => undefined,
  stuck: () => undefined,
  failed: (error) => expect.unreachable(error.message),
};

/** A hop on a bus of its own, that drops the records of topic T, which has one lane. */
async function dropping(told: Partial<HopOptions>, records: readonly string[]) {
  const bus = memoryBus({ partitions: 1 });
  await bus.create([{ topic: "T" }]);
  await bus.send(records.map((value) => message("T", null, value)));
  const seen = { settled: [] as string[], failed: [] as string[] };
  const { onBatch } = hop({
    ...DROPPING,
    failed: (error) => seen.failed.push(error.message),
    ...told,
    settled(visit: Visit) {
      seen.settled.push(text(visit.record));
      told.settled?.(visit);
    },
  });
  await bus.consume({ topic: "T", group: "g", start: "earliest" }, onBatch);
  return { bus, seen };
}

test("every settled visit is told of, also after some whose telling throws; that is reported once", async () => {
  const settled = (visit: Visit) => {
    if (text(visit.record) !== "b") throw new Error(`told of ${text(visit.record)}`);
  };
  const { bus, seen } = await dropping({ settled }, ["a", "b", "c"]);
  await eventually(() => seen.failed.length > 0);
  await bus.close();
  expect(seen).toEqual({ settled: ["a", "b", "c"], failed: ["told of a"] });
});

test("what a message of an older batch came to goes out before what one of its key in a newer batch came to", async () => {
  const late = Promise.withResolvers<void>();
  const never = new Promise<never>(() => undefined);
  const waitsFor: Record<string, Promise<unknown>> = { "k 1": late.promise, y: never, z: never };
  const { onBatch } = hop({
    ...DROPPING,
    concurrency: 5,
    async handler({ record }) {
      await waitsFor[text(record)];
      return { kind: "drop", reason: "why" };
    },
  });
  const { signal } = new AbortController();
  const settled: string[] = [];
  const give = (...values: readonly string[]) => {
    const records = values.map((value, at) => ({
      ...message("T", value[0]!, value),
      lane: "0",
      position: String(at),
      timestamp: 0,
    }));
    const settle: Batch["settle"] = async (done) => void settled.push(...done.map(({ index }) => values[index]!));
    return onBatch({ records, signal, settle });
  };
  await give("k 1", "y");
  await give("x", "k 2", "z");
  // x is what the newer batch hands over first, a little later; until then both of k come to their ends.
  await new Promise(setImmediate);
  late.resolve();
  await eventually(() => settled.length === 3);
  expect(settled.filter((value) => value.startsWith("k"))).toEqual(["k 1", "k 2"]);
});
