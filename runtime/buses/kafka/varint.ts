/** Kafka's whole numbers of variable length, seven bits a byte, the lowest first, with the sign in the lowest bit; 32 bits. */

export function sizeOfVarInt(value: number): number {
  const zigzag = (value << 1) ^ (value >> 31);
  let bytes = 1;
  for (let rest = zigzag >>> 7; rest !== 0; rest >>>= 7) bytes++;
  return bytes;
}

/** Returns where it ends. */
export function writeVarInt(out: Buffer, start: number, value: number): number {
  let at = start;
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; rest > 0x7f; rest >>>= 7) out[at++] = (rest & 0x7f) | 0x80;
  out[at++] = rest;
  return at;
}
