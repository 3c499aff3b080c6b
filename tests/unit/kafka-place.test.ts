import fc from "fast-check";
import { expect, test } from "vitest";
import type { Outgoing } from "../../runtime/bus.ts";
import { bytesOf, place } from "../../runtime/buses/kafka/place.ts";
import { partitionOf } from "../../runtime/buses/murmur2.ts";

const LIMIT = 10_000;
const topicOf = () => ({ partitions: 3, maxBytes: LIMIT });

const anyRecord = fc.record({
  topic: fc.constantFrom("A", "B"),
  key: fc.option(fc.constantFrom("a", "b", "c", "d").map((key) => Buffer.from(key))),
  value: fc.nat({ max: 6_000 }).map((size) => Buffer.alloc(size)),
  headers: fc.constant([]),
}) satisfies fc.Arbitrary<Outgoing>;

test("every record goes out once, in order within its partition, in chunks that the topic takes", () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 60 }), (records) => {
      const rounds = place(records, topicOf);
      const sent = rounds.flat().flatMap((chunk) => chunk.records.map((record) => ({ record, ...chunk })));
      expect(sent.length).toBe(records.length);
      for (const place of new Set(sent.map(({ topic, partition }) => `${topic} ${partition}`))) {
        const there = sent
          .filter(({ topic, partition }) => `${topic} ${partition}` === place)
          .map(({ record }) => record);
        expect(there).toEqual(records.filter((record) => there.includes(record)));
      }
      for (const round of rounds) {
        const places = round.map(({ topic, partition }) => `${topic} ${partition}`);
        expect(new Set(places).size).toBe(places.length);
        for (const chunk of round) {
          const bytes = chunk.records.reduce((sum, record) => sum + bytesOf(record), 0);
          if (chunk.records.length > 1) expect(bytes).toBeLessThanOrEqual(LIMIT);
        }
      }
    }),
  );
});

test("a key decides the partition; records without one stay together", () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 60 }), (records) => {
      const keyless = new Map<string, Set<number>>();
      for (const { topic, partition, records: some } of place(records, topicOf).flat()) {
        for (const { key } of some) {
          if (key) expect(partition).toBe(partitionOf(key, 3));
          else keyless.set(topic, (keyless.get(topic) ?? new Set()).add(partition));
        }
      }
      for (const partitions of keyless.values()) expect(partitions.size).toBe(1);
    }),
  );
});
