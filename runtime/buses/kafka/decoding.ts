import { createRequire } from "node:module";
import { crc32c } from "@node-rs/crc32";
import type { KafkaMessage } from "kafkajs";
import type { RecordHeaders } from "../../bus.ts";
import { Cursor } from "./cursor.ts";
import { readHeaders } from "./headers.ts";
import { unreadable } from "./unreadable.ts";

/**
 * kafkajs reads a fetched record through two decoders and three buffers, and counts its offset and timestamp in objects of
 * 64 bits. Here the same messages are read from the network's buffer directly. Formats from before Kafka 0.11 are left to kafkajs.
 */

interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly lastStableOffset: string;
  readonly lastStartOffset: string;
  readonly abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[];
  readonly preferredReadReplica: number;
  readonly messages: readonly KafkaMessage[];
}

export interface Fetched {
  readonly throttleTime: number;
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly sessionId: number;
  readonly responses: readonly {
    readonly topicName: string | null;
    readonly partitions: readonly FetchedPartition[];
  }[];
}

interface Codec {
  decompress(packed: Buffer): Promise<Buffer>;
}

/** What all records of a batch share, as kafkajs has it. */
interface BatchContext {
  readonly firstOffset: string;
  readonly firstTimestamp: string;
  readonly partitionLeaderEpoch: number;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly maxTimestamp: string;
  readonly timestampType: 0 | 1;
  readonly magicByte: number;
}

const inside = createRequire(import.meta.url);
const { lookupCodecByAttributes: codecOf } = inside("kafkajs/src/protocol/message/compression/index.js") as {
  lookupCodecByAttributes(attributes: number): Codec | null;
};

const MAGIC = 2;
const MAGIC_AT = 16;
/** Offset and length, which the length does not count. */
const BATCH_START = 12;
const CHECKSUM_AT = 17;
const CHECKED_FROM = 21;
const BATCH_HEADER = 61;
const APPEND_TIME = 0x08;
const IN_TRANSACTION = 0x10;
const CONTROL = 0x20;
const PACKED = 0x07;
/** Few bytes can unpack to so many empty records, or headers, that they fill the memory. Nobody writes a batch with more. */
const MOST_ITEMS = 250_000;
/** Once the batches of an answer have unpacked to so much, other packed ones are left for the next request. */
const UNPACKED_BYTES = 32 * 1024 * 1024;

/** The body of a fetch response, version 11; null: it has records of an old format. */
export async function decodeFetch(raw: Buffer): Promise<Fetched | null> {
  const cursor = new Cursor(raw);
  const clientSideThrottleTime = cursor.int32();
  const [errorCode, sessionId] = [cursor.int16(), cursor.int32()];
  const responses = [];
  const unpacked = { bytes: 0 };
  for (let topics = cursor.int32(); topics > 0; topics--) {
    const topicName = cursor.text();
    const partitions: FetchedPartition[] = [];
    for (let count = cursor.int32(); count > 0; count--) {
      const partition = await readPartition(cursor, topicName ?? "", unpacked);
      if (!partition) return null;
      partitions.push(partition);
    }
    responses.push({ topicName, partitions });
  }
  // The broker has not throttled this request; it asks us to wait before the next one (KIP-219).
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses };
}

/** How many bytes the packed batches of an answer have given. */
interface Unpacked {
  bytes: number;
}

async function readPartition(cursor: Cursor, topic: string, unpacked: Unpacked): Promise<FetchedPartition | null> {
  const head = {
    partition: cursor.int32(),
    errorCode: cursor.int16(),
    highWatermark: String(cursor.int64()),
    lastStableOffset: String(cursor.int64()),
    lastStartOffset: String(cursor.int64()),
    abortedTransactions: cursor.list(() => ({
      producerId: String(cursor.int64()),
      firstOffset: String(cursor.int64()),
    })),
    preferredReadReplica: cursor.int32(),
  };
  const size = Math.max(0, cursor.int32());
  const end = cursor.at + size;
  const messages: KafkaMessage[] = [];
  // The last batch may be cut off.
  while (end - cursor.at >= BATCH_HEADER && end - cursor.at >= lengthOfBatch(cursor)) {
    if (cursor.bytes[cursor.at + MAGIC_AT] !== MAGIC) return null;
    if (unpacked.bytes >= UNPACKED_BYTES && isPacked(cursor)) break;
    const next = cursor.at + lengthOfBatch(cursor);
    if (next < cursor.at + BATCH_HEADER) throw new RangeError(`Kafka's log of topic "${topic}" is damaged`);
    const batch = new Cursor(cursor.bytes, cursor.at, next);
    await readBatch(batch, { topic, partition: head.partition }, messages, unpacked);
    cursor.at = next;
  }
  cursor.at = end;
  return { ...head, messages };
}

const lengthOfBatch = ({ bytes, at }: Cursor): number => BATCH_START + bytes.readInt32BE(at + 8);
const isPacked = ({ bytes, at }: Cursor): boolean => (bytes.readInt16BE(at + CHECKED_FROM) & PACKED) > 0;

/** One that can't be read comes as one message. */
async function readBatch(
  cursor: Cursor,
  where: { topic: string; partition: number },
  messages: KafkaMessage[],
  unpacked: Unpacked,
): Promise<void> {
  const { bytes, at: start, end } = cursor;
  const before = messages.length;
  const { context, attributes, count } = readContext(cursor);
  try {
    // Kafka has looked at it as it was written; what has happened to its disk since nobody else would see.
    if (crc32c(bytes.subarray(start + CHECKED_FROM, end)) !== bytes.readUInt32BE(start + CHECKSUM_AT))
      throw new RangeError("its checksum is another one");
    const codec = codecOf(attributes);
    const records = codec ? new Cursor(await codec.decompress(bytes.subarray(cursor.at, end))) : cursor;
    if (codec) unpacked.bytes += records.end;
    readRecords(records, count, context, messages);
  } catch (error) {
    messages.length = before;
    messages.push(unreadable(where, bytes.subarray(start, end), context, error));
  }
}

function readContext(cursor: Cursor): { context: BatchContext; attributes: number; count: number } {
  const firstOffset = cursor.int64();
  cursor.at += 4;
  const partitionLeaderEpoch = cursor.int32();
  const magicByte = cursor.int8();
  cursor.at += 4;
  const attributes = cursor.int16();
  const lastOffsetDelta = cursor.int32();
  const firstTimestamp = cursor.int64();
  const context: BatchContext = {
    firstOffset: String(firstOffset),
    firstTimestamp: String(firstTimestamp),
    partitionLeaderEpoch,
    inTransaction: (attributes & IN_TRANSACTION) > 0,
    isControlBatch: (attributes & CONTROL) > 0,
    lastOffsetDelta,
    maxTimestamp: String(cursor.int64()),
    producerId: String(cursor.int64()),
    producerEpoch: cursor.int16(),
    firstSequence: cursor.int32(),
    timestampType: (attributes & APPEND_TIME) > 0 ? 1 : 0,
    magicByte,
  };
  return { context, attributes, count: cursor.int32() };
}

function readRecords(cursor: Cursor, count: number, batchContext: BatchContext, messages: KafkaMessage[]): void {
  const { isControlBatch: isControlRecord, timestampType, maxTimestamp, magicByte, lastOffsetDelta } = batchContext;
  const [firstOffset, firstTimestamp] = [Number(batchContext.firstOffset), Number(batchContext.firstTimestamp)];
  let [lastDelta, lastTimestamp] = [0, batchContext.firstTimestamp];
  let [lastOffset, items] = [-1, count];
  if (count > MOST_ITEMS) throw tooMany();
  for (let index = 0; index < count; index++) {
    const length = cursor.varInt();
    const end = cursor.at + length;
    const attributes = cursor.int8();
    const delta = cursor.varLong();
    // Most records of a batch have the same.
    if (delta !== lastDelta) [lastDelta, lastTimestamp] = [delta, String(firstTimestamp + delta)];
    const offsetDelta = cursor.varInt();
    // Kafka does not look at it, and a place that jumps ahead would leave out whatever comes behind.
    if (offsetDelta <= lastOffset || offsetDelta > lastOffsetDelta) throw new RangeError("its records are in no order");
    lastOffset = offsetDelta;
    const [key, value] = [cursor.varBytes(), cursor.varBytes()];
    const pairs = pairsOf(cursor, MOST_ITEMS - items);
    items += pairs.length;
    if (cursor.at !== end || end > cursor.end) throw new RangeError("a record does not end where it says");
    const message = {
      magicByte,
      attributes,
      timestamp: timestampType === 1 ? maxTimestamp : lastTimestamp,
      offset: String(firstOffset + offsetDelta),
      key,
      value,
      headers: readHeaders(pairs),
      isControlRecord,
      batchContext,
    };
    messages.push(message as unknown as KafkaMessage);
  }
  if (cursor.at !== cursor.end) throw new RangeError("it has more records than it says");
}

const NONE: RecordHeaders = [];
const tooMany = () => new RangeError(`it has more than ${MOST_ITEMS} records and headers`);

function pairsOf(cursor: Cursor, most: number): RecordHeaders {
  const count = cursor.varInt();
  if (count <= 0) return NONE;
  if (count > most) throw tooMany();
  return Array.from({ length: count }, () => [String(cursor.varBytes() ?? ""), cursor.varBytes()] as const);
}

const response = inside("kafkajs/src/protocol/requests/fetch/v11/response.js") as {
  decode(raw: Buffer): Promise<Fetched>;
};
const { decode } = response;
response.decode = async (raw) => (await decodeFetch(raw)) ?? (await decode(raw));
