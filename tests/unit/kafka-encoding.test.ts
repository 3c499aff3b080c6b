import { createRequire } from "node:module";
import fc from "fast-check";
import { expect, test } from "vitest";
import "../../runtime/buses/kafka/encoding.ts";

const Encoder = createRequire(import.meta.url)("kafkajs/src/protocol/encoder.js") as {
  new (initialSize?: number): Record<"writeVarInt" | "writeVarLong", (value: unknown) => { buffer: Buffer }>;
  sizeOfVarInt(value: number): number;
  sizeOfVarLong(value: unknown): number;
};

/** Kafka's numbers of variable length (https://protobuf.dev/programming-guides/encoding/#signed-ints). */
function zigzag(value: bigint): number[] {
  let rest = value >= 0n ? value * 2n : -value * 2n - 1n;
  const bytes: number[] = [];
  for (; rest > 127n; rest /= 128n) bytes.push(Number(rest % 128n) + 128);
  return [...bytes, Number(rest)];
}

const edges = fc.constantFrom(0, -1, 63, 64, -64, -65, 2 ** 30 - 1, 2 ** 30, -(2 ** 30), 2 ** 31 - 1, -(2 ** 31));
const int32 = fc.oneof(edges, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.integer({ min: -500, max: 500 }));

test("numbers of 32 bits are written as Kafka reads them, into buffers of any size", () => {
  fc.assert(
    fc.property(int32, fc.nat(8), (value, size) => {
      const expected = zigzag(BigInt(value));
      expect([...new Encoder(size).writeVarInt(value).buffer]).toEqual(expected);
      expect(Encoder.sizeOfVarInt(value)).toBe(expected.length);
    }),
  );
});

test("numbers of 64 bits too, whether they come as a number or as digits", () => {
  const int64 = fc.oneof(int32.map(BigInt), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
  fc.assert(
    fc.property(int64, (value) => {
      const expected = zigzag(value);
      const isSafe = Number.isSafeInteger(Number(value));
      for (const form of isSafe ? [Number(value), String(value)] : [String(value)]) {
        expect([...new Encoder().writeVarLong(form).buffer]).toEqual(expected);
        expect(Encoder.sizeOfVarLong(form)).toBe(expected.length);
      }
    }),
  );
});
