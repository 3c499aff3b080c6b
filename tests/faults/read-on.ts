import { randomUUID } from "node:crypto";
import { Kafka, logLevel, type Admin, type EachBatchPayload } from "kafkajs";
import type { Cluster } from "./cluster.ts";
import { waitFor } from "./patience.ts";

/** `<topic> <partition>` → the next offset to be read. */
export type Progress = Map<string, number>;

export interface Found {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

interface Bounds {
  readonly place: string;
  readonly topic: string;
  readonly partition: number;
  readonly low: number;
  readonly end: number;
}

/** Reads the committed records of topics, from where it came to before to where they end now; past the proxies. */
export async function readOn(
  cluster: Cluster,
  topics: readonly string[],
  progress: Progress,
  take: (record: Found) => void,
): Promise<void> {
  let bounds: readonly Bounds[] = [];
  // A broker that has just come back may not know of them yet.
  const known = async () => (bounds = await cluster.admin((admin) => boundsOf(admin, topics))).length > 0;
  await waitFor(known, 60, () => `the bounds of ${topics.join(", ")}`);
  for (const { place, low } of bounds) progress.set(place, Math.max(low, progress.get(place) ?? 0));
  const open = () => bounds.filter(({ place, end }) => progress.get(place)! < end);
  if (open().length === 0) return;
  const kafka = new Kafka({ brokers: cluster.direct.split(","), logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `ledger.${randomUUID()}`, maxWaitTimeInMs: 100 });
  consumer.on(consumer.events.GROUP_JOIN, () => {
    for (const { topic, partition, place } of bounds)
      consumer.seek({ topic, partition, offset: String(progress.get(place)) });
  });
  // Batches of markers and aborted records alone are told of here only.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) => {
    const place = `${topic} ${partition}`;
    progress.set(place, Math.max(progress.get(place)!, Number(lastOffset) + 1));
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: async (payload) => takeBatch(payload, progress, take) });
    await waitFor(
      () => open().length === 0,
      120,
      () => `the ledger to be read to its end, of ${JSON.stringify(open())}`,
    );
  } finally {
    await consumer.disconnect();
  }
}

async function boundsOf(admin: Admin, topics: readonly string[]): Promise<Bounds[]> {
  const found = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)));
  return found.flatMap((lanes, at) =>
    lanes.map(({ partition, low, high }) => {
      const topic = topics[at]!;
      return { place: `${topic} ${partition}`, topic, partition, low: Number(low), end: Number(high) };
    }),
  );
}

function takeBatch({ batch }: EachBatchPayload, progress: Progress, take: (record: Found) => void): void {
  const { topic, partition } = batch;
  const from = progress.get(`${topic} ${partition}`) ?? 0;
  for (const { offset, key, value } of batch.messages)
    if (Number(offset) >= from) take({ topic, partition, offset: Number(offset), key, value });
}
