import { randomUUID } from "node:crypto";
import type { Batch, Kafka, KafkaMessage } from "kafkajs";

export interface Bounds {
  readonly partition: number;
  readonly low: string;
  readonly high: string;
}

/** When the broker appended a topic's first and last message (epoch ms). */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/** Offsets: from the first one, up to but without the second. */
type Range = readonly [from: number, to: number];

/** kafkajs has these, its types don't: with the records that say how a transaction ended, and whose transaction it is. */
type Raw = KafkaMessage & {
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
};

/** More than the records that may end transactions behind a partition's last message. */
const TAIL = 200;

export const sizeOf = (bounds: readonly Bounds[]): number =>
  bounds.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);

export async function span(kafka: Kafka, topic: string, all: readonly Bounds[]): Promise<Span> {
  const ranges = rangesOf(all);
  const begin = new Map(Array.from(ranges, ([partition, [low]]) => [partition, [low, low + 1] as const]));
  const end = new Map(Array.from(ranges, ([at, [low, high]]) => [at, [Math.max(low, high - TAIL), high] as const]));
  let [first, last] = [Infinity, -Infinity];
  await Promise.all([
    read(kafka, topic, begin, ({ messages }) => void (first = Math.min(first, Number(messages[0]!.timestamp)))),
    read(kafka, topic, end, ({ messages }) => void (last = Math.max(last, Number(messages.at(-1)!.timestamp)))),
  ]);
  return { first, last };
}

/**
 * When each message could first be read by one who reads only what is committed (epoch ms, by the broker's clock), by
 * the number in its payload: as the broker appended it, or as it appended the end of its transaction, and of every one that had
 * begun before it.
 */
export async function readable(kafka: Kafka, topic: string, all: readonly Bounds[]): Promise<Map<number, number>> {
  const ranges = rangesOf(all);
  const records = new Map<number, Raw[]>(Array.from(ranges, ([partition]) => [partition, []]));
  await read(kafka, topic, ranges, (batch) => {
    const { rawMessages } = batch as Batch & { readonly rawMessages: readonly Raw[] };
    const found = records.get(batch.partition)!;
    const next = Number(found.at(-1)?.offset ?? -1) + 1;
    for (const record of rawMessages) if (Number(record.offset) >= next) found.push(record);
  });
  return new Map([...records.values()].flatMap(readableInPartition));
}

function readableInPartition(records: readonly Raw[]): [n: number, at: number][] {
  const found: [number, number][] = [];
  const ends = new Map<string, number[]>();
  for (const { isControlRecord, batchContext, timestamp } of records) {
    if (!isControlRecord) continue;
    ends.set(batchContext.producerId, [...(ends.get(batchContext.producerId) ?? []), Number(timestamp)]);
  }
  let latest = 0;
  for (const { isControlRecord, batchContext, timestamp, value } of records) {
    const { producerId, inTransaction } = batchContext;
    if (isControlRecord) ends.get(producerId)!.shift();
    else {
      latest = Math.max(latest, inTransaction ? ends.get(producerId)![0]! : Number(timestamp));
      found.push([(JSON.parse(String(value)) as { payload: { n: number } }).payload.n, latest]);
    }
  }
  return found;
}

const rangesOf = (bounds: readonly Bounds[]): Map<number, Range> =>
  new Map(
    bounds.flatMap(({ partition, low, high }) =>
      low === high ? [] : [[partition, [Number(low), Number(high)] as const] as const],
    ),
  );

/** Reads at least these offsets. */
async function read(
  kafka: Kafka,
  topic: string,
  ranges: ReadonlyMap<number, Range>,
  take: (batch: Batch) => void,
): Promise<void> {
  const done = Promise.withResolvers<void>();
  const waiting = new Set(ranges.keys());
  const consumer = kafka.consumer({ groupId: `read-${randomUUID()}`, maxBytesPerPartition: 10_000_000 });
  // Told of batches without messages, too: those of records that end transactions.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
    if (Number(lastOffset) + 1 >= (ranges.get(partition)?.[1] ?? Infinity)) waiting.delete(partition);
    if (waiting.size === 0) done.resolve();
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => void (waiting.has(batch.partition) && take(batch)),
  });
  for (const [partition, [from]] of ranges) consumer.seek({ topic, partition, offset: String(from) });
  await done.promise;
  await consumer.disconnect();
}
