import { randomUUID } from "node:crypto";
import { Kafka, logLevel, type EachBatchPayload } from "kafkajs";
import type { Cluster } from "./cluster.ts";
import { waitFor } from "./patience.ts";

/** Where a record lay, and which of the numbered messages it is. */
export interface Entry {
  readonly n: number;
  readonly partition: number;
  readonly offset: number;
}

/** What lies in topics, as a reader of committed records sees it. What was read stays known when the topic loses it. */
export interface Ledger {
  /** Reads the topics on, to where they end now. */
  read(topics: readonly string[]): Promise<void>;
  entries(topic: string): readonly Entry[];
  /** The topic is made anew: its offsets begin at 0 again. */
  renewed(topic: string): void;
}

export function openLedger(cluster: Cluster): Ledger {
  const found = new Map<string, Entry[]>();
  /** The next offset to be read, by topic and partition. */
  const next = new Map<string, number>();
  const place = (topic: string, partition: number) => `${topic} ${partition}`;

  function take({ batch }: EachBatchPayload): void {
    const { topic, partition, messages } = batch;
    const entries = found.get(topic) ?? [];
    found.set(topic, entries);
    const from = next.get(place(topic, partition)) ?? 0;
    for (const { offset, value } of messages)
      if (Number(offset) >= from) entries.push({ n: numberIn(value), partition, offset: Number(offset) });
  }

  async function read(topics: readonly string[]): Promise<void> {
    const ends = await cluster.admin(async (admin) => {
      const bounds = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)));
      return bounds.flatMap((lanes, at) =>
        lanes.map(({ partition, low, high }) => ({
          topic: topics[at]!,
          partition,
          low: Number(low),
          end: Number(high),
        })),
      );
    });
    for (const { topic, partition, low } of ends) {
      const key = place(topic, partition);
      next.set(key, Math.max(low, next.get(key) ?? 0));
    }
    const open = () => ends.filter(({ topic, partition, end }) => next.get(place(topic, partition))! < end);
    if (open().length === 0) return;
    const kafka = new Kafka({ brokers: cluster.direct.split(","), logLevel: logLevel.NOTHING });
    const consumer = kafka.consumer({ groupId: `ledger.${randomUUID()}`, maxWaitTimeInMs: 100 });
    consumer.on(consumer.events.GROUP_JOIN, () => {
      for (const { topic, partition } of ends)
        consumer.seek({ topic, partition, offset: String(next.get(place(topic, partition))) });
    });
    // Batches of markers and aborted records alone are told of here only.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) => {
      const key = place(topic, partition);
      next.set(key, Math.max(next.get(key)!, Number(lastOffset) + 1));
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics], fromBeginning: true });
      await consumer.run({ autoCommit: false, eachBatch: async (payload) => take(payload) });
      const missing = () => `the ledger to be read to the end of ${JSON.stringify(open())}`;
      await waitFor(() => open().length === 0, 120, missing);
    } finally {
      await consumer.disconnect();
    }
  }

  return {
    read,
    entries: (topic) => found.get(topic) ?? [],
    renewed(topic) {
      for (const key of next.keys()) if (key.startsWith(`${topic} `)) next.delete(key);
    },
  };
}

/** Of a message however malformed: what is told of a dead letter is told of its own bytes. */
export function numberIn(value: Buffer | null): number {
  return Number(/"n": ?(\d+)/.exec(value?.toString("latin1", 0, 2_000) ?? "")?.[1] ?? -1);
}
