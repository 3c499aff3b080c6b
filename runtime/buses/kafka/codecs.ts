import { promisify } from "node:util";
import { gunzip, zstdDecompress } from "node:zlib";
import kafkajs from "kafkajs";
import { decompressFrame } from "lz4-napi";
import { uncompress } from "snappy";
import { MetrobusError } from "../../errors.ts";
import { mostOfLz4 } from "./lz4.ts";

/** A batch of records may be this large once unpacked; a small one that unpacks to more is an attack, or as bad as one. */
const MOST_BYTES = 128 * 1024 * 1024;
// Node finds only some of the names that this CommonJS package exports.
const { CompressionCodecs, CompressionTypes } = kafkajs;
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER = 16;

/** Teaches kafkajs to read every compression that Kafka has. metrobus itself writes without. */
export function installCodecs(): void {
  const gzip = promisify(gunzip);
  const zstd = promisify(zstdDecompress);
  const limit = { maxOutputLength: MOST_BYTES };
  CompressionCodecs[CompressionTypes.GZIP] = readOnly((packed) => gzip(packed, limit).catch(inOurWords));
  CompressionCodecs[CompressionTypes.ZSTD] = readOnly((packed) => zstd(packed, limit).catch(inOurWords));
  CompressionCodecs[CompressionTypes.LZ4] = readOnly(unlz4);
  CompressionCodecs[CompressionTypes.Snappy] = readOnly(unsnappy);
}

function readOnly(decompress: (packed: Buffer) => Promise<Buffer>) {
  const compress = () => Promise.reject(new MetrobusError("metrobus writes records without compression"));
  return () => ({ compress, decompress });
}

/** Java's clients cut the data into blocks, each with its length in front (xerial's format); others write it whole. */
async function unsnappy(packed: Buffer): Promise<Buffer> {
  if (!packed.subarray(0, XERIAL.length).equals(XERIAL)) return await block(packed);
  const blocks: Buffer[] = [];
  let bytes = 0;
  for (let at = XERIAL_HEADER; at < packed.length;) {
    const length = packed.readUInt32BE(at);
    const unpacked = await block(packed.subarray(at + 4, at + 4 + length), bytes);
    bytes += unpacked.length;
    blocks.push(unpacked);
    at += 4 + length;
  }
  return Buffer.concat(blocks, bytes);
}

async function block(packed: Buffer, before = 0): Promise<Buffer> {
  if (before + snappyLength(packed) > MOST_BYTES) throw tooMuch();
  return (await uncompress(packed, { asBuffer: true })) as Buffer;
}

/** A snappy block begins with its unpacked length: seven bits a byte, the lowest first. */
function snappyLength(packed: Buffer): number {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    const byte = packed[at] ?? 0;
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) break;
  }
  return length;
}

async function unlz4(packed: Buffer): Promise<Buffer> {
  if (mostOfLz4(packed) > MOST_BYTES) throw tooMuch();
  return await decompressFrame(packed);
}

function inOurWords(error: NodeJS.ErrnoException): never {
  throw error.code === "ERR_BUFFER_TOO_LARGE" ? tooMuch() : error;
}

function tooMuch(): MetrobusError {
  return new MetrobusError(`it unpacks to more than ${MOST_BYTES} bytes`);
}
