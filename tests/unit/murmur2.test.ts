import fc from "fast-check";
import { Partitioners } from "kafkajs";
import { expect, test } from "vitest";
import { murmur2, partitionOf } from "../../runtime/buses/murmur2.ts";

// From the tests of Kafka's Java client (UtilsTest.testMurmur2).
test.each([
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
])("murmur2 of %j is the Java client's", (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash);
});

test("bytes above 127 count as unsigned", () => {
  expect(murmur2(Buffer.from("abc"))).toBe(479470107);
  expect(partitionOf(Buffer.from([255, 254, 253, 252, 251, 250, 249]), 12)).toBe(
    kafkajsPartition(Buffer.from([255, 254, 253, 252, 251, 250, 249]), 12),
  );
});

test("every key has the partition that kafkajs gives it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.integer({ min: 1, max: 64 }), (bytes, partitions) => {
      expect(partitionOf(bytes, partitions)).toBe(kafkajsPartition(Buffer.from(bytes), partitions));
    }),
    { numRuns: 1_000 },
  );
});

function kafkajsPartition(key: Buffer, partitions: number): number {
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 1,
    replicas: [1],
    isr: [1],
  }));
  return Partitioners.DefaultPartitioner()({ topic: "any", partitionMetadata, message: { key, value: null } });
}
