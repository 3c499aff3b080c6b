import { expect, test } from "vitest";
import { memoryBus } from "../../runtime/buses/memory/index.ts";
import { hop, type HopOptions } from "../../runtime/hop.ts";
import { createLogger } from "../../runtime/logger.ts";
import type { Visit } from "../../runtime/visit.ts";
import { eventually, message, text } from "../support/probe.ts";

/** A hop on a bus of its own, that drops the records of topic T, which has one lane. */
async function dropping(told: Partial<HopOptions>, records: readonly string[]) {
  const bus = memoryBus({ partitions: 1 });
  await bus.create([{ topic: "T" }]);
  await bus.send(records.map((value) => message("T", null, value)));
  const seen = { settled: [] as string[], failed: [] as string[] };
  const { onBatch } = hop({
    stop: "T",
    rules: { maxHops: 64, deadLetterTopic: "Error" },
    log: createLogger({ logLevel: "silent", logFormat: "json" }),
    halt: new AbortController().signal,
    handler: () => ({ kind: "drop", reason: "why" }),
    concurrency: 1,
    lost: () => undefined,
    stuck: () => undefined,
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
