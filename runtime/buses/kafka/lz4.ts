const MAGIC = 0x184d2204;
const HAS_DICTIONARY = 0x01;
const CHECKED_FRAME = 0x04;
const HAS_SIZE = 0x08;
const CHECKED_BLOCKS = 0x10;
const IS_RAW = 0x8000_0000;
/** No byte of a block gives more. */
const EXPANSION = 255;

/**
 * The most that frames of lz4 can unpack to: what their blocks, each with its length before it and at most as large as its
 * frame says, can give; or what they claim to hold, if that is more. Throws RangeError when they are cut off.
 */
export function mostOfLz4(packed: Buffer): number {
  let most = 0;
  for (let at = 0; at < packed.length;) {
    if (packed.readUInt32LE(at) !== MAGIC) throw new RangeError("it is no frame of lz4");
    const flags = packed.readUInt8(at + 4);
    const blockBytes = 2 ** (8 + 2 * ((packed.readUInt8(at + 5) >> 4) & 7));
    const claimed = flags & HAS_SIZE ? Number(packed.readBigUInt64LE(at + 6)) : 0;
    at += 7 + (flags & HAS_SIZE ? 8 : 0) + (flags & HAS_DICTIONARY ? 4 : 0);
    let frame = 0;
    for (let size = packed.readUInt32LE(at); size > 0; size = packed.readUInt32LE(at)) {
      const length = size % IS_RAW;
      frame += size >= IS_RAW ? length : Math.min(blockBytes, length * EXPANSION);
      at += 4 + length + (flags & CHECKED_BLOCKS ? 4 : 0);
    }
    at += 4 + (flags & CHECKED_FRAME ? 4 : 0);
    most += Math.max(frame, claimed);
  }
  return most;
}
