import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { compressFrame } from "lz4-napi";
import { beforeAll, expect, test } from "vitest";
import { installCodecs } from "../../runtime/buses/kafka/codecs.ts";
import { decodeFetch } from "../../runtime/buses/kafka/decoding.ts";
import { mostOfLz4 } from "../../runtime/buses/kafka/lz4.ts";
import { whyUnreadable } from "../../runtime/buses/kafka/unreadable.ts";
import { bomb } from "../support/bombs.ts";
import { checked, fetchResponse, recordBatch, recordBytes } from "../support/record-batch.ts";

const MEGABYTE = 1_048_576;

beforeAll(installCodecs);

const sound = recordBatch({ body: recordBytes({ value: Buffer.from("1") }) });

/** Why each message of each partition can't be read, or what it holds. */
async function readOf(...partitions: readonly Buffer[]): Promise<string[][]> {
  const fetched = await decodeFetch(fetchResponse(...partitions));
  return fetched!.responses[0]!.partitions.map(({ messages }) =>
    messages.map((message) => whyUnreadable(message)?.message ?? String(message.value)),
  );
}

test.each(["gzip", "zstd", "lz4", "snappy"] as const)(
  "a bomb of %s stands for itself, and those around it are read",
  async (codec) => {
    const read = await readOf(Buffer.concat([sound, bomb(codec, 160), sound]));
    expect(read).toEqual([["1", expect.stringContaining("unpacks to more than 134217728 bytes"), "1"]]);
  },
);

test.each([
  ["a record that is longer than its batch", [0x7f]],
  ["a number without an end", Array.from({ length: 20 }, () => 0xff)],
  ["nothing at all", []],
])("%s does not hang", async (_what, bytes) => {
  expect(await readOf(recordBatch({ body: Buffer.from(bytes) }))).toEqual([[expect.stringContaining("can't be read")]]);
});

test("records that are more or fewer than it says, in no order, or behind its end", async () => {
  const two = [0, 1].map((offsetDelta) => recordBytes({ value: Buffer.from("1"), offsetDelta }));
  const body = Buffer.concat(two);
  const why = async (shape: object) => (await readOf(recordBatch({ body, count: 2, ...shape })))[0]![0];
  expect(await why({})).toBe("1");
  expect(await why({ count: 1, lastOffsetDelta: 1 })).toContain("it has more records than it says");
  expect(await why({ count: 3 })).toContain("can't be read");
  expect(await why({ lastOffsetDelta: 0 })).toContain("in no order");
  expect(await why({ body: Buffer.concat(two.toReversed()) })).toContain("in no order");
});

test("so many empty records, or headers, that they would fill the memory", async () => {
  const many = Array.from({ length: 300_000 }, (_, offsetDelta) => recordBytes({ value: null, offsetDelta }));
  const records = recordBatch({ codec: "gzip", count: many.length, body: gzipSync(Buffer.concat(many)) });
  const headers = recordBytes({ value: null, headers: Array.from({ length: 300_000 }, () => ["", null] as const) });
  const withHeaders = recordBatch({ codec: "gzip", body: gzipSync(headers) });
  for (const batch of [records, withHeaders])
    expect(await readOf(batch)).toEqual([[expect.stringContaining("more than 250000 records and headers")]]);
});

test("a bit that has changed is noticed", async () => {
  const damaged = Buffer.from(sound);
  damaged[damaged.length - 2]! ^= 1;
  expect(await readOf(damaged)).toEqual([[expect.stringContaining("its checksum is another one")]]);
  expect(await readOf(checked(damaged))).toEqual([["0"]]);
});

test("what one answer unpacks to is bounded: the rest is left for the next one", async () => {
  const value = Buffer.alloc(40 * MEGABYTE, "x");
  const large = recordBatch({ codec: "gzip", body: gzipSync(recordBytes({ value })) });
  const read = await readOf(large, Buffer.concat([sound, large]), large);
  expect(read.map((messages) => messages.map(({ length }) => length))).toEqual([[value.length], [1], []]);
});

test("what lz4 can unpack to is never counted too low, nor much too high where its blocks are full", async () => {
  const data = fc.oneof(
    fc.uint8Array({ maxLength: 1_000 }),
    fc.nat(300_000).map((length) => Buffer.alloc(length, "abc ")),
  );
  await fc.assert(
    fc.asyncProperty(data, async (bytes) => {
      const frame = await compressFrame(Buffer.from(bytes));
      expect(mostOfLz4(frame)).toBeGreaterThanOrEqual(bytes.length);
      expect(mostOfLz4(Buffer.concat([frame, frame]))).toBe(2 * mostOfLz4(frame));
    }),
  );
  const frame = await compressFrame(Buffer.alloc(10 * MEGABYTE, "abc "));
  expect(mostOfLz4(frame)).toBeLessThan(11 * MEGABYTE);
  expect(() => mostOfLz4(frame.subarray(0, 1_000))).toThrow(RangeError);
});
