import { createRequire } from "node:module";
import { crc32c } from "@node-rs/crc32";
import type { Message } from "kafkajs";
import type { RecordHeaders } from "../../bus.ts";
import { headersOf } from "./headers.ts";
import { sizeOfVarInt, writeVarInt } from "./varint.ts";

/**
 * kafkajs spends most of a send on its encoding: a buffer of its own for each record, a dozen objects for its numbers, a
 * checksum in JavaScript, and all of it copied six times on its way out. Here a produce request is the same bytes,
 * written in place into one buffer of the right size.
 */

export interface ProduceRequest {
  readonly acks: number;
  readonly timeout: number;
  readonly compression?: number;
  readonly transactionalId?: string | null | undefined;
  /** kafkajs has numbers of 64 bits in objects. */
  readonly producerId?: { toString(): string };
  readonly producerEpoch?: number;
  readonly topicData: readonly { readonly topic: string; readonly partitions: readonly PartitionData[] }[];
}

interface PartitionData {
  readonly partition: number;
  readonly firstSequence?: number;
  readonly messages: readonly Message[];
}

interface Batch extends PartitionData {
  readonly headers: readonly RecordHeaders[];
  /** Of each record without its own length, which stands before it. */
  readonly sizes: Int32Array;
  readonly recordBytes: number;
}

/** Free bytes in front of each request: what kafkajs puts there is written into them, and the request not copied. */
const ROOM = 256;
const BATCH_HEADER = 61;
const LENGTH_COUNTED_FROM = 12;
const CHECKSUM_AT = 17;
const CHECKED_FROM = 21;
const MAGIC = 2;
const IN_TRANSACTION = 16;

/** The body of a produce request, versions 3 to 8, of records without timestamps of their own and without compression. */
export function encodeProduce(request: ProduceRequest): Buffer {
  const { acks, timeout, transactionalId = null, topicData } = request;
  const topics = topicData.map(({ topic, partitions }) => ({ topic, batches: partitions.map(measured) }));
  let size = sizeOfString(transactionalId) + 10;
  for (const { topic, batches } of topics) {
    size += sizeOfString(topic) + 4;
    for (const { recordBytes } of batches) size += 8 + BATCH_HEADER + recordBytes;
  }
  const out = Buffer.allocUnsafeSlow(ROOM + size).subarray(ROOM);
  let at = writeString(out, 0, transactionalId);
  at = out.writeInt16BE(acks, at);
  at = out.writeInt32BE(timeout, at);
  at = out.writeInt32BE(topics.length, at);
  const now = BigInt(Date.now());
  for (const { topic, batches } of topics) {
    at = writeString(out, at, topic);
    at = out.writeInt32BE(batches.length, at);
    for (const batch of batches) at = writeBatch(out, at, batch, request, now);
  }
  return out;
}

function measured(data: PartitionData): Batch {
  const { messages } = data;
  const headers = messages.map((message) => headersOf(message.headers));
  const sizes = new Int32Array(messages.length);
  let recordBytes = 0;
  for (let index = 0; index < messages.length; index++) {
    const { key, value } = messages[index]!;
    const pairs = headers[index]!;
    // One byte for attributes, one for the timestamp, which is the batch's.
    let bytes = 2 + sizeOfVarInt(index) + sizeOfBytes(key) + sizeOfBytes(value) + sizeOfVarInt(pairs.length);
    for (const [name, content] of pairs) bytes += sizeOfBytes(name) + sizeOfBytes(content);
    sizes[index] = bytes;
    recordBytes += sizeOfVarInt(bytes) + bytes;
  }
  return { ...data, headers, sizes, recordBytes };
}

function writeBatch(out: Buffer, start: number, batch: Batch, request: ProduceRequest, now: bigint): number {
  const { partition, messages, recordBytes, firstSequence = 0 } = batch;
  const { transactionalId, producerId = -1, producerEpoch = 0 } = request;
  const bytes = BATCH_HEADER + recordBytes;
  out.writeInt32BE(partition, start);
  out.writeInt32BE(bytes, start + 4);
  const first = start + 8;
  // Offset and leader epoch are for the broker to say.
  let at = out.writeBigInt64BE(0n, first);
  at = out.writeInt32BE(bytes - LENGTH_COUNTED_FROM, at);
  at = out.writeInt32BE(0, at);
  at = out.writeInt8(MAGIC, at);
  at = out.writeInt16BE(transactionalId ? IN_TRANSACTION : 0, first + CHECKED_FROM);
  at = out.writeInt32BE(messages.length - 1, at);
  at = out.writeBigInt64BE(now, at);
  at = out.writeBigInt64BE(now, at);
  at = out.writeBigInt64BE(BigInt(String(producerId)), at);
  at = out.writeInt16BE(producerEpoch, at);
  at = out.writeInt32BE(firstSequence, at);
  at = out.writeInt32BE(messages.length, at);
  at = writeRecords(out, at, batch);
  out.writeUInt32BE(crc32c(out.subarray(first + CHECKED_FROM, at)), first + CHECKSUM_AT);
  return at;
}

function writeRecords(out: Buffer, start: number, { messages, headers, sizes }: Batch): number {
  let at = start;
  for (let index = 0; index < messages.length; index++) {
    const { key, value } = messages[index]!;
    const pairs = headers[index]!;
    at = writeVarInt(out, at, sizes[index]!);
    out[at++] = 0;
    out[at++] = 0;
    at = writeVarInt(out, at, index);
    at = writeBytes(out, at, key);
    at = writeBytes(out, at, value);
    at = writeVarInt(out, at, pairs.length);
    for (const [name, content] of pairs) at = writeBytes(out, writeBytes(out, at, name), content);
  }
  return at;
}

type Bytes = Buffer | string | null | undefined;

const lengthOf = (bytes: Buffer | string): number =>
  typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length;

function sizeOfBytes(bytes: Bytes): number {
  if (bytes === null || bytes === undefined) return 1;
  const length = lengthOf(bytes);
  return sizeOfVarInt(length) + length;
}

function writeBytes(out: Buffer, start: number, bytes: Bytes): number {
  if (bytes === null || bytes === undefined) return writeVarInt(out, start, -1);
  const at = writeVarInt(out, start, lengthOf(bytes));
  if (typeof bytes === "string") return at + out.write(bytes, at);
  out.set(bytes, at);
  return at + bytes.length;
}

const sizeOfString = (text: string | null): number => 2 + (text === null ? 0 : Buffer.byteLength(text));

function writeString(out: Buffer, start: number, text: string | null): number {
  const at = out.writeInt16BE(text === null ? -1 : Buffer.byteLength(text), start);
  return text === null ? at : at + out.write(text, at);
}

interface Encoder {
  buf: Buffer;
  offset: number;
  writeEncoder(inner: Encoder): this;
}

interface Produce {
  protocol(asked: { version: number }): (request: ProduceRequest) => { request: { encode(): Promise<Encoder> } };
}

const inside = createRequire(import.meta.url);
const Encoder = inside("kafkajs/src/protocol/encoder.js") as { new (size: number): Encoder; prototype: Encoder };
const produce = inside("kafkajs/src/protocol/requests/produce/index.js") as Produce;

/** Compression and timestamps, which metrobus never sends, are left to kafkajs. */
const isOrdinary = ({ compression = 0, topicData }: ProduceRequest): boolean =>
  compression === 0 &&
  topicData.every(({ partitions }) =>
    partitions.every(({ messages }) => messages.every(({ timestamp }) => timestamp === undefined)),
  );

const { protocol } = produce;
produce.protocol = ({ version }) => {
  const define = protocol({ version });
  return (asked) => {
    const defined = define(asked);
    if (version >= 3 && isOrdinary(asked)) defined.request.encode = async () => wrapped(encodeProduce(asked));
    return defined;
  };
};

/** Those whose buffers have room in front. */
const roomy = new WeakSet<Encoder>();

function wrapped(bytes: Buffer): Encoder {
  const encoder = Object.assign(new Encoder(0), { buf: bytes, offset: bytes.length });
  roomy.add(encoder);
  return encoder;
}

const { writeEncoder } = Encoder.prototype;
Encoder.prototype.writeEncoder = function (inner) {
  const { buf, offset } = this;
  if (!roomy.has(inner) || offset > inner.buf.byteOffset) return writeEncoder.call(this, inner);
  this.offset += inner.offset;
  this.buf = Buffer.from(inner.buf.buffer, inner.buf.byteOffset - offset, this.offset);
  this.buf.set(buf.subarray(0, offset));
  roomy.add(this);
  return this;
};
