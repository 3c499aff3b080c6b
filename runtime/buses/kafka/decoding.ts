import { createRequire } from "node:module";
import type { KafkaMessage } from "kafkajs";
import type { RecordHeaders } from "../../bus.ts";
import { readHeaders } from "./headers.ts";

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
const BATCH_HEADER = 61;
const APPEND_TIME = 0x08;
const IN_TRANSACTION = 0x10;
const CONTROL = 0x20;

/** A place in a buffer that moves on as it is read. */
class Cursor {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  int8(): number {
    return this.bytes.readInt8(this.at++);
  }

  int16(): number {
    this.at += 2;
    return this.bytes.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.bytes.readInt32BE(this.at - 4);
  }

  int64(): bigint {
    this.at += 8;
    return this.bytes.readBigInt64BE(this.at - 8);
  }

  text(): string | null {
    const length = this.int16();
    if (length < 0) return null;
    this.at += length;
    return this.bytes.toString("utf8", this.at - length, this.at);
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read);
  }

  /** Of 32 bits. */
  varInt(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
  }

  /** Of 64 bits, of which a number holds 53. */
  varLong(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  }

  varBytes(): Buffer | null {
    const length = this.varInt();
    if (length < 0) return null;
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

/** The body of a fetch response, version 11; null: it has records of an old format. */
export async function decodeFetch(raw: Buffer): Promise<Fetched | null> {
  const cursor = new Cursor(raw);
  const clientSideThrottleTime = cursor.int32();
  const [errorCode, sessionId] = [cursor.int16(), cursor.int32()];
  const responses = [];
  for (let topics = cursor.int32(); topics > 0; topics--) {
    const topicName = cursor.text();
    const partitions: FetchedPartition[] = [];
    for (let count = cursor.int32(); count > 0; count--) {
      const partition = await readPartition(cursor);
      if (!partition) return null;
      partitions.push(partition);
    }
    responses.push({ topicName, partitions });
  }
  // The broker has not throttled this request; it asks us to wait before the next one (KIP-219).
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses };
}

async function readPartition(cursor: Cursor): Promise<FetchedPartition | null> {
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
    const next = cursor.at + lengthOfBatch(cursor);
    await readBatch(cursor, next, messages);
    cursor.at = next;
  }
  cursor.at = end;
  return { ...head, messages };
}

const lengthOfBatch = ({ bytes, at }: Cursor): number => BATCH_START + bytes.readInt32BE(at + 8);

async function readBatch(cursor: Cursor, end: number, messages: KafkaMessage[]): Promise<void> {
  const firstOffset = cursor.int64();
  cursor.at += 4;
  const partitionLeaderEpoch = cursor.int32();
  // The checksum: kafkajs does not look at it either.
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
  const count = cursor.int32();
  const codec = codecOf(attributes);
  const records = codec ? new Cursor(await codec.decompress(cursor.bytes.subarray(cursor.at, end))) : cursor;
  readRecords(records, count, context, messages);
}

function readRecords(cursor: Cursor, count: number, batchContext: BatchContext, messages: KafkaMessage[]): void {
  const { isControlBatch: isControlRecord, timestampType, maxTimestamp, magicByte } = batchContext;
  const [firstOffset, firstTimestamp] = [Number(batchContext.firstOffset), Number(batchContext.firstTimestamp)];
  let [lastDelta, lastTimestamp] = [0, batchContext.firstTimestamp];
  for (let index = 0; index < count; index++) {
    const length = cursor.varInt();
    const end = cursor.at + length;
    const attributes = cursor.int8();
    const delta = cursor.varLong();
    // Most records of a batch have the same.
    if (delta !== lastDelta) [lastDelta, lastTimestamp] = [delta, String(firstTimestamp + delta)];
    const message = {
      magicByte,
      attributes,
      timestamp: timestampType === 1 ? maxTimestamp : lastTimestamp,
      offset: String(firstOffset + cursor.varInt()),
      key: cursor.varBytes(),
      value: cursor.varBytes(),
      headers: readHeaders(pairsOf(cursor)),
      isControlRecord,
      batchContext,
    };
    cursor.at = end;
    messages.push(message as unknown as KafkaMessage);
  }
}

const NONE: RecordHeaders = [];

function pairsOf(cursor: Cursor): RecordHeaders {
  const count = cursor.varInt();
  if (count <= 0) return NONE;
  return Array.from({ length: count }, () => [String(cursor.varBytes() ?? ""), cursor.varBytes()] as const);
}

const response = inside("kafkajs/src/protocol/requests/fetch/v11/response.js") as {
  decode(raw: Buffer): Promise<Fetched>;
};
const { decode } = response;
response.decode = async (raw) => (await decodeFetch(raw)) ?? (await decode(raw));
