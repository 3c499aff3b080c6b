import { createRequire } from "node:module";

/**
 * kafkajs spends much of its time on numbers of variable length, of which every record has five: it makes an array and a
 * buffer for each, and goes through objects of 64 bits. Here the same bytes are written in place.
 */

interface Encoder {
  buf: Buffer;
  offset: number;
  ensureAvailable(bytes: number): void;
  writeUVarInt(value: number): Encoder;
  writeVarInt(value: number): Encoder;
  writeVarLong(value: unknown): Encoder;
}

interface EncoderClass {
  prototype: Encoder;
  sizeOfVarInt(value: number): number;
  sizeOfVarLong(value: unknown): number;
}

const inside = createRequire(import.meta.url);
const encoder = inside("kafkajs/src/protocol/encoder.js") as EncoderClass;
const { writeVarLong } = encoder.prototype;
const sizeOfVarLong = encoder.sizeOfVarLong.bind(encoder);

/** Zigzag of 32 bits gives the same for these as that of 64. */
const isShort = (value: unknown): value is number => typeof value === "number" && Math.abs(value) < 2 ** 30;

encoder.prototype.writeUVarInt = function (value) {
  this.ensureAvailable(5);
  let rest = value;
  for (; (rest & ~0x7f) !== 0; rest >>>= 7) this.buf[this.offset++] = (rest & 0x7f) | 0x80;
  this.buf[this.offset++] = rest;
  return this;
};

encoder.prototype.writeVarLong = function (value) {
  return isShort(value) ? this.writeVarInt(value) : writeVarLong.call(this, value);
};

encoder.sizeOfVarLong = (value) => (isShort(value) ? encoder.sizeOfVarInt(value) : sizeOfVarLong(value));
