import { once } from "node:events";
import { connect } from "node:net";
import { crc32c } from "@node-rs/crc32";
import type { RecordHeaders } from "../../runtime/bus.ts";

/** Batches of records made by hand, for what no producer would write: Kafka's format 2, of since 0.11. */

export interface BatchShape {
  /** The records' bytes, packed as `codec` says. */
  readonly body: Buffer;
  readonly codec?: Codec;
  readonly count?: number;
  readonly lastOffsetDelta?: number;
  readonly firstTimestamp?: bigint;
  readonly maxTimestamp?: bigint;
  readonly isTransactional?: boolean;
}

export interface RecordShape {
  readonly key?: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: RecordHeaders;
  readonly offsetDelta?: number;
  readonly timestampDelta?: bigint;
}

const CODECS = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
export type Codec = keyof typeof CODECS;

const CHECKSUM_AT = 17;
const CHECKED_FROM = 21;

export function recordBatch({ body, codec = "none", count = 1, isTransactional, ...shape }: BatchShape): Buffer {
  const { lastOffsetDelta = count - 1, firstTimestamp = 0n, maxTimestamp = firstTimestamp } = shape;
  const head = Buffer.alloc(61);
  head.writeInt32BE(49 + body.length, 8);
  head.writeInt8(2, 16);
  head.writeInt16BE(CODECS[codec] | (isTransactional ? 16 : 0), CHECKED_FROM);
  head.writeInt32BE(lastOffsetDelta, 23);
  head.writeBigInt64BE(firstTimestamp, 27);
  head.writeBigInt64BE(maxTimestamp, 35);
  head.fill(0xff, 43, 57);
  head.writeInt32BE(count, 57);
  return checked(Buffer.concat([head, body]));
}

/** The batch with the checksum that it has to have. */
export function checked(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(CHECKED_FROM)), CHECKSUM_AT);
  return batch;
}

export function recordBytes({
  key = null,
  value,
  headers = [],
  offsetDelta = 0,
  timestampDelta = 0n,
}: RecordShape): Buffer {
  const pairs = headers.flatMap(([name, content]) => [field(Buffer.from(name)), field(content)]);
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(timestampDelta),
    varint(offsetDelta),
    field(key),
    field(value),
    varint(headers.length),
    ...pairs,
  ]);
  return Buffer.concat([varint(body.length), body]);
}

/** What stands before the value of a record that has so many bytes of it and nothing else, and what stands behind it. */
export function aroundValue(bytes: number): readonly [before: Buffer, behind: Buffer] {
  const inside = Buffer.concat([Buffer.from([0, 0, 0]), varint(-1), varint(bytes)]);
  return [Buffer.concat([varint(inside.length + bytes + 1), inside]), Buffer.from([0])];
}

function field(bytes: Buffer | null): Buffer {
  return bytes ? Buffer.concat([varint(bytes.length), bytes]) : varint(-1);
}

export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

/** The body of a fetch response, version 11, for the topic "T": the record batches of each partition. */
export function fetchResponse(...partitions: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(21);
  head.writeInt32BE(1, 10);
  head.writeInt16BE(1, 14);
  head.write("T", 16);
  head.writeInt32BE(partitions.length, 17);
  const parts = partitions.map((records, partition) => {
    const before = Buffer.alloc(42);
    before.writeInt32BE(partition);
    before.writeInt32BE(records.length, 38);
    return Buffer.concat([before, records]);
  });
  return Buffer.concat([head, ...parts]);
}

/** Sends a batch as it is, past any client. Resolves with Kafka's error code; 0: it has been written. */
export async function produce(brokers: string, topic: string, batch: Buffer, partition = 0): Promise<number> {
  const [host, port] = brokers.split(":");
  const socket = connect(Number(port), host);
  const int16 = (value: number) => Buffer.from([value >> 8, value]);
  const int32 = (value: number) => Buffer.from([value >> 24, value >> 16, value >> 8, value]);
  const text = (value: string) => Buffer.concat([int16(value.length), Buffer.from(value)]);
  const head = [int16(0), int16(7), int32(1), text("by hand")];
  const what = [int16(-1), int16(-1), int32(120_000), int32(1), text(topic), int32(1), int32(partition)];
  const request = Buffer.concat([...head, ...what, int32(batch.length), batch]);
  try {
    await once(socket, "connect");
    socket.write(Buffer.concat([int32(request.length), request]));
    let answer = Buffer.alloc(0);
    for await (const part of socket) {
      answer = Buffer.concat([answer, part as Buffer]);
      // Its length, correlation id, one topic with its name, one partition with its number, and then the code.
      const codeAt = 4 + 4 + 4 + 2 + topic.length + 4 + 4;
      if (answer.length >= codeAt + 2) return answer.readInt16BE(codeAt);
    }
    throw new Error("Kafka has closed the connection without an answer");
  } finally {
    socket.destroy();
  }
}
