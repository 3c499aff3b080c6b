import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";
import { crc32c } from "@node-rs/crc32";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { decodeFetch } from "../../runtime/buses/kafka/decoding.ts";
import { encodeProduce, type ProduceRequest } from "../../runtime/buses/kafka/encoding.ts";
import { headersOf, toHeaders } from "../../runtime/buses/kafka/headers.ts";

const inside = createRequire(import.meta.url);

interface Encoder {
  readonly buffer: Buffer;
  writeInt8(value: number): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: string): Encoder;
  writeString(text: string): Encoder;
  writeBytes(bytes: Buffer): Encoder;
  writeArray(items: readonly Encoder[]): Encoder;
}

const Encoder = inside("kafkajs/src/protocol/encoder.js") as new () => Encoder;
/** kafkajs's own: what is replaced is which of its functions is asked. */
const original = inside("kafkajs/src/protocol/requests/produce/v7/request.js") as (request: object) => {
  encode(): Promise<Encoder>;
};
const { protocol } = inside("kafkajs/src/protocol/requests/produce/index.js") as {
  protocol(asked: { version: number }): (request: object) => { request: { encode(): Promise<Encoder> } };
};
const { RecordBatch } = inside("kafkajs/src/protocol/recordBatch/v0/index.js") as {
  RecordBatch(batch: object): Promise<Encoder>;
};
const Record = inside("kafkajs/src/protocol/recordBatch/record/v0/index.js") as (record: object) => object;
const request = inside("kafkajs/src/protocol/request.js") as (request: object) => Promise<Encoder>;

beforeAll(() => void vi.useFakeTimers({ toFake: ["Date"], now: 1_795_284_000_000 }));
afterAll(() => void vi.useRealTimers());

const text = fc.string({ unit: "binary", maxLength: 20 });
const bytes = fc.uint8Array({ maxLength: 70 }).map((array) => Buffer.from(array));
const long = fc.nat(70_000).map((length) => Buffer.alloc(length, "long "));
const field = fc.oneof(bytes, text, fc.constant(null));
const headers = fc.dictionary(
  text.filter((name) => !(name in {})),
  fc.oneof(bytes, fc.array(bytes, { minLength: 2, maxLength: 3 })),
  { maxKeys: 4 },
);
const message = fc.record(
  { key: field, value: fc.oneof({ weight: 20, arbitrary: field }, long), headers },
  { requiredKeys: ["value"] },
);
const messages = fc.oneof(
  { weight: 20, arbitrary: fc.array(message, { minLength: 1, maxLength: 10 }) },
  fc.array(fc.record({ value: bytes }), { minLength: 65, maxLength: 70 }),
);
const partitionData = fc.record({
  partition: fc.nat(),
  firstSequence: fc.nat(),
  messages,
});
const produceRequest = fc.record(
  {
    acks: fc.constantFrom(-1, 1),
    timeout: fc.nat(),
    transactionalId: fc.oneof(fc.constant(null), fc.string({ minLength: 1 })),
    producerId: fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }),
    producerEpoch: fc.nat(32_767),
    topicData: fc.array(fc.record({ topic: text, partitions: fc.array(partitionData, { maxLength: 3 }) }), {
      maxLength: 2,
    }),
  },
  { requiredKeys: ["acks", "timeout", "topicData"] },
);

const clientIds = fc.oneof(fc.constant("metrobus"), fc.string({ maxLength: 400 }));

test("a produce request is the bytes that kafkajs itself would write, on random records", async () => {
  await fc.assert(
    fc.asyncProperty(produceRequest, clientIds, async (asked, clientId) => {
      const expected = await original(asked).encode();
      expect(encodeProduce(asked as ProduceRequest).equals(expected.buffer)).toBe(true);
      const [ours, theirs] = [
        protocol({ version: 7 })(asked).request,
        { ...original(asked), apiKey: 0, apiVersion: 7 },
      ];
      const sent = { correlationId: 7, clientId };
      const [whole, wholeTheirs] = await Promise.all([
        request({ ...sent, request: ours }),
        request({ ...sent, request: theirs }),
      ]);
      expect(whole.buffer.equals(wholeTheirs.buffer)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test("what metrobus never sends is left to kafkajs: timestamps of their own, compression", async () => {
  const topicData = [
    { topic: "T", partitions: [{ partition: 0, messages: [{ value: "v", timestamp: "1700000000000" }] }] },
  ];
  const asked = { acks: -1, timeout: 1, topicData };
  const [ours, theirs] = [protocol({ version: 7 })(asked).request.encode(), original(asked).encode()];
  expect((await ours).buffer.equals((await theirs).buffer)).toBe(true);
  const isZipped = { ...asked, compression: 1 };
  expect((await protocol({ version: 7 })(isZipped).request.encode()).buffer).not.toEqual((await ours).buffer);
});

/** kafkajs's own decoding, from a copy of its module that nobody has changed. */
function originalDecode(): (raw: Buffer) => Promise<object> {
  const path = inside.resolve("kafkajs/src/protocol/requests/fetch/v11/response.js");
  delete inside.cache[path];
  return (inside(path) as { decode(raw: Buffer): Promise<object> }).decode;
}

const GZIP = 1;
/** kafkajs fails on a first batch of which less has come. */
const BATCH_HEADER = 61;
const batch = fc.record({
  firstOffset: fc.nat(2 ** 40).map(String),
  firstTimestamp: fc.nat(2 ** 41),
  maxTimestamp: fc.nat(2 ** 41),
  partitionLeaderEpoch: fc.nat(),
  producerId: fc.integer({ min: -1, max: 2 ** 40 }).map(String),
  producerEpoch: fc.nat(32_767),
  firstSequence: fc.integer({ min: -1 }),
  transactional: fc.boolean(),
  compression: fc.constantFrom(0, 0, GZIP),
  records: fc.array(fc.tuple(message, fc.integer({ min: -5, max: 2 ** 38 })), { maxLength: 8 }),
  /** Attributes that only brokers set: the time of the append, and control batches. */
  more: fc.constantFrom(0, 0x08, 0x20),
});
type BatchShape = typeof batch extends fc.Arbitrary<infer T> ? T : never;

async function encodedBatch({ records, more, compression, ...rest }: BatchShape): Promise<Buffer> {
  const encoded = records.map(([each, timestampDelta], offsetDelta) =>
    Record({ ...each, timestampDelta, offsetDelta }),
  );
  const lastOffsetDelta = Math.max(0, records.length - 1);
  const { buffer } = await RecordBatch({ ...rest, compression, records: encoded, lastOffsetDelta });
  buffer[22]! |= more;
  buffer.writeUInt32BE(crc32c(buffer.subarray(21)), 17);
  return buffer;
}

const fetchedPartition = fc.record({
  partition: fc.nat(),
  errorCode: fc.nat(90),
  offsets: fc.tuple(fc.nat(2 ** 40), fc.nat(2 ** 40), fc.nat(2 ** 40)),
  aborted: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 3 }),
  batches: fc.array(batch, { maxLength: 3 }),
  /** Bytes by which the last batch is cut off. */
  cut: fc.oneof(fc.constant(0), fc.nat(100)),
});
type PartitionShape = typeof fetchedPartition extends fc.Arbitrary<infer T> ? T : never;

async function encodedPartition({ partition, errorCode, offsets, aborted, batches, cut }: PartitionShape) {
  const records = Buffer.concat(await Promise.all(batches.map(encodedBatch)));
  const encoder = new Encoder().writeInt32(partition).writeInt16(errorCode);
  for (const offset of offsets) encoder.writeInt64(String(offset));
  const transactions = aborted.map(([id, first]) => new Encoder().writeInt64(String(id)).writeInt64(String(first)));
  encoder.writeArray(transactions).writeInt32(-1);
  return encoder.writeBytes(
    records.subarray(0, Math.max(Math.min(BATCH_HEADER, records.length), records.length - cut)),
  );
}

test("a fetch response is what kafkajs itself would read, on random records", async () => {
  const decode = originalDecode();
  const topic = fc.tuple(text, fc.array(fetchedPartition, { maxLength: 3 }));
  await fc.assert(
    fc.asyncProperty(fc.array(topic, { maxLength: 2 }), async (topics) => {
      const encoder = new Encoder().writeInt32(5).writeInt16(0).writeInt32(77);
      const encoded = topics.map(async ([name, partitions]) =>
        new Encoder().writeString(name).writeArray(await Promise.all(partitions.map(encodedPartition))),
      );
      const raw = encoder.writeArray(await Promise.all(encoded)).buffer;
      // Much faster than toEqual on long buffers.
      expect(isDeepStrictEqual(await decodeFetch(raw), await decode(raw))).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test("header pairs keep their order, a name as often as it occurs, whatever it is", async () => {
  const pair = fc.tuple(fc.oneof(text, fc.constantFrom("constructor", "__proto__", "a", "b")), fc.option(bytes));
  await fc.assert(
    fc.asyncProperty(fc.array(pair, { maxLength: 6 }), async (pairs) => {
      const messages = [{ value: "v", headers: toHeaders(pairs) }];
      const topicData = [{ topic: "T", partitions: [{ partition: 0, messages }] }];
      const sent = encodeProduce({ acks: -1, timeout: 1, topicData });
      const read = await decodeFetch(responseOf(sent.subarray(sent.indexOf("T") + 13)));
      expect(headersOf(read!.responses[0]!.partitions[0]!.messages[0]!.headers)).toEqual(pairs);
    }),
  );
});

function responseOf(records: Buffer): Buffer {
  const partition = new Encoder().writeInt32(0).writeInt16(0).writeInt64("0").writeInt64("0").writeInt64("0");
  partition.writeArray([]).writeInt32(-1).writeBytes(records);
  const topic = new Encoder().writeString("T").writeArray([partition]);
  return new Encoder().writeInt32(0).writeInt16(0).writeInt32(0).writeArray([topic]).buffer;
}
