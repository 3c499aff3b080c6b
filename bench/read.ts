import { randomUUID } from "node:crypto";
import type { Batch, Kafka } from "kafkajs";

export interface Bounds {
  readonly partition: number;
  readonly low: string;
  readonly high: string;
}

/** When the broker appended a topic's first and last record (epoch ms), and how many there are. */
export interface Span {
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

export const sizeOf = (bounds: readonly Bounds[]): number =>
  bounds.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);

export async function span(kafka: Kafka, topic: string, all: readonly Bounds[]): Promise<Span> {
  const bounds = all.filter(({ low, high }) => low !== high);
  const [first, last] = await Promise.all([
    timesAt(kafka, topic, new Map(bounds.map(({ partition, low }) => [partition, low]))),
    timesAt(kafka, topic, new Map(bounds.map(({ partition, high }) => [partition, String(BigInt(high) - 1n)]))),
  ]);
  return { first: Math.min(...first), last: Math.max(...last), count: sizeOf(bounds) };
}

/** When the broker appended each record (epoch ms), by the number in its payload. */
export async function appended(kafka: Kafka, topic: string, count: number): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  await read(kafka, topic, new Map(), ({ messages }) => {
    for (const { value, timestamp } of messages) {
      const { payload } = JSON.parse(String(value)) as { payload: { n: number } };
      found.set(payload.n, Number(timestamp));
    }
    return found.size >= count;
  });
  return found;
}

async function timesAt(kafka: Kafka, topic: string, offsets: ReadonlyMap<number, string>): Promise<number[]> {
  const found = new Map<number, number>();
  await read(kafka, topic, offsets, ({ partition, messages }) => {
    const wanted = messages.find(({ offset }) => offset === offsets.get(partition));
    if (wanted) found.set(partition, Number(wanted.timestamp));
    return found.size === offsets.size;
  });
  return [...found.values()];
}

/** Reads from the offsets given, else from the first ones, until `enough` says so. */
async function read(
  kafka: Kafka,
  topic: string,
  offsets: ReadonlyMap<number, string>,
  enough: (batch: Batch) => boolean,
): Promise<void> {
  const done = Promise.withResolvers<void>();
  const consumer = kafka.consumer({ groupId: `read-${randomUUID()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ autoCommit: false, eachBatch: async ({ batch }) => void (enough(batch) && done.resolve()) });
  for (const [partition, offset] of offsets) consumer.seek({ topic, partition, offset });
  await done.promise;
  await consumer.disconnect();
}
