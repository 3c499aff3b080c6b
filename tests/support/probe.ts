import { randomBytes } from "node:crypto";
import { vi } from "vitest";
import type { Batch, Bus, ConsumeOptions, Outgoing, Received, Settled, Subscription } from "../../runtime/bus.ts";

/** A name that no other test uses. */
export const unique = (word: string): string => `${word}-${randomBytes(6).toString("hex")}`;

/** Waits for what is bound to come about; a minute's silence is a failure. */
export const eventually = (condition: () => boolean | Promise<boolean>): Promise<unknown> =>
  vi.waitUntil(condition, { timeout: 60_000, interval: 10 });

export const message = (topic: string, key: string | null, value: string | null): Outgoing => ({
  topic,
  key: key === null ? null : Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
  headers: [],
});

export const text = (record: { value: Buffer | null }): string => String(record.value);

/** Settles where everything can be sent. */
export const settle = (batch: Batch, done: readonly Settled[]): Promise<void> =>
  batch.settle(done, (_, why) => {
    throw why;
  });

/** Marks a whole batch as done, with nothing to send. */
export const settleAll = (batch: Batch): Promise<void> =>
  settle(
    batch,
    batch.records.map((_, index) => ({ index, out: [] })),
  );

export interface Probe {
  /** What was given to it, in that order. */
  readonly records: Received[];
  readonly batches: Batch[];
  readonly subscription: Subscription;
}

/** A member of a group that keeps what it is given; `onBatch` is what it does with each batch (default: settles all of it). */
export async function probe(
  bus: Bus,
  options: Pick<ConsumeOptions, "topic" | "group"> & Partial<ConsumeOptions>,
  onBatch: (batch: Batch) => Promise<void> = settleAll,
): Promise<Probe> {
  const records: Received[] = [];
  const batches: Batch[] = [];
  const subscription = await bus.consume({ start: "earliest", ...options }, async (batch) => {
    records.push(...batch.records);
    batches.push(batch);
    await onBatch(batch);
  });
  return { records, batches, subscription };
}

/** All that lies in a topic, lane by lane. */
export async function everything(bus: Bus, topic: string): Promise<Received[]> {
  const found: Received[] = [];
  for (const { lane, low } of await bus.state(unique("nobody"), topic)) {
    for await (const record of bus.read(topic, lane, low, 1_000_000)) found.push(record);
  }
  return found;
}
