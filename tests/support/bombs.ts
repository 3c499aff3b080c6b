import { gzipSync } from "node:zlib";
import { compressFrameSync } from "lz4-napi";
import { compressSync } from "snappy";
import { aroundValue, recordBatch, type Codec } from "./record-batch.ts";

/** Batches of at most a megabyte, of one record, that unpack to `megabytes` of zeros: valid ones, which Kafka takes. */

const MEGABYTE = 1_048_576;
const GZIP_PART = 16 * MEGABYTE;
/** Magic number, no flags, a window of 128 KB. */
const ZSTD_HEAD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x38]);
const ZSTD_BLOCK = 131_072;
const LAST = 1;
const REPEATED = 2;
const LZ4_BLOCK = 65_536;
const LZ4_HEADER = 7;

/** Packs pieces so that what they unpack to follows one another. */
const packings: Record<Exclude<Codec, "none">, (before: Buffer, zeros: number, behind: Buffer) => Buffer> = {
  gzip(before, zeros, behind) {
    const zipped = gzipSync(Buffer.alloc(GZIP_PART));
    const parts = Array.from({ length: zeros / GZIP_PART }, () => zipped);
    return Buffer.concat([gzipSync(before), ...parts, gzipSync(behind)]);
  },
  zstd(before, zeros, behind) {
    const repeated = zstdBlock(REPEATED, ZSTD_BLOCK, Buffer.alloc(1));
    const blocks = Array.from({ length: zeros / ZSTD_BLOCK }, () => repeated);
    const last = zstdBlock(LAST, behind.length, behind);
    return Buffer.concat([ZSTD_HEAD, zstdBlock(0, before.length, before), ...blocks, last]);
  },
  lz4(before, zeros, behind) {
    const frame = compressFrameSync(Buffer.alloc(LZ4_BLOCK));
    const block = frame.subarray(LZ4_HEADER, LZ4_HEADER + 4 + frame.readUInt32LE(LZ4_HEADER));
    const blocks = Array.from({ length: zeros / LZ4_BLOCK }, () => block);
    return Buffer.concat([frame.subarray(0, LZ4_HEADER), raw(before), ...blocks, raw(behind), Buffer.alloc(4)]);
  },
  snappy(before, zeros, behind) {
    const head = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    const zipped = xerial(Buffer.alloc(MEGABYTE));
    const blocks = Array.from({ length: zeros / MEGABYTE }, () => zipped);
    return Buffer.concat([head, xerial(before), ...blocks, xerial(behind)]);
  },
};

export function bomb(codec: keyof typeof packings, megabytes: number): Buffer {
  const zeros = megabytes * MEGABYTE;
  const [before, behind] = aroundValue(zeros);
  return recordBatch({ codec, body: packings[codec](before, zeros, behind) });
}

function zstdBlock(kind: number, size: number, content: Buffer): Buffer {
  const head = Buffer.alloc(3);
  head.writeUIntLE(kind + size * 8, 0, 3);
  return Buffer.concat([head, content]);
}

/** A block of lz4 that is not packed. */
function raw(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length + 0x8000_0000);
  return Buffer.concat([length, bytes]);
}

function xerial(bytes: Buffer): Buffer {
  const zipped = compressSync(bytes);
  const length = Buffer.alloc(4);
  length.writeInt32BE(zipped.length);
  return Buffer.concat([length, zipped]);
}
