import { createRequire } from "node:module";
import { MetrobusError } from "../../errors.ts";
import { hidden } from "./hidden.ts";
import type { Membership } from "./membership.ts";

/**
 * What exactly-once needs of a group and kafkajs 2.2.4 does not have: positions that no open transaction may change, and
 * positions in a transaction that count only while we are a member (KIP-447; Kafka 2.5). Formats:
 * https://kafka.apache.org/protocol, OffsetFetch 7 and TxnOffsetCommit 3.
 */

/** One of kafkajs's, which is the coordinator of what is asked for. */
export interface Coordinator {
  readonly versions: Record<number, { readonly maxVersion: number } | undefined>;
}

interface Encoder {
  writeBoolean(value: boolean): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: string | number): Encoder;
  writeUVarIntString(value: string | null): Encoder;
  writeUVarIntArray(items: readonly Encoder[]): Encoder;
  writeUVarIntBytes(): Encoder;
}

interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readInt64(): { toString(): string };
  readUVarIntString(): string | null;
  readUVarIntArray<T>(read: (decoder: Decoder) => T): T[] | null;
  readTaggedFields(): unknown;
}

interface Request<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<Encoder>;
  };
  readonly response: { decode(data: Buffer): Promise<T>; parse(data: T): Promise<T> };
}

const inside = createRequire(import.meta.url);
const NewEncoder = inside("kafkajs/src/protocol/encoder.js") as new () => Encoder;
const NewDecoder = inside("kafkajs/src/protocol/decoder.js") as new (data: Buffer) => Decoder;
const { createErrorFromCode } = inside("kafkajs/src/protocol/error.js") as { createErrorFromCode(code: number): Error };
const { prototype: broker } = inside("kafkajs/src/broker/index.js") as { prototype: object };
const SEND = hidden(broker, "Broker:sendRequest");

const OFFSET_FETCH = { apiKey: 9, apiVersion: 7, apiName: "OffsetFetch" };
const TXN_OFFSET_COMMIT = { apiKey: 28, apiVersion: 3, apiName: "TxnOffsetCommit" };
const UNSTABLE_OFFSET_COMMIT = 88;

/** @throws MetrobusError when the broker is too old for exactly-once. */
export function checkVersion({ versions }: Coordinator): void {
  if ([OFFSET_FETCH, TXN_OFFSET_COMMIT].every(({ apiKey, apiVersion }) => versions[apiKey]!.maxVersion >= apiVersion))
    return;
  throw new MetrobusError(
    "delivery exactly-once needs Kafka 2.5 or newer: update the brokers, or use METROBUS_DELIVERY=at-least-once",
  );
}

/** The group's positions by partition; -1: it has none. One that an open transaction may change is left out. */
export async function stablePositions(
  coordinator: Coordinator,
  group: string,
  topic: string,
  partitions: readonly number[],
): Promise<Map<number, number>> {
  const encode = () => {
    const asked = partitions.map((partition) => encoder().writeInt32(partition));
    const topics = [tagged(encoder().writeUVarIntString(topic).writeUVarIntArray(asked))];
    return tagged(request().writeUVarIntString(group).writeUVarIntArray(topics).writeBoolean(true));
  };
  const decode = (decoder: Decoder) => {
    decoder.readInt32();
    const found = topicsOf(decoder, () => {
      const [partition, offset] = [decoder.readInt32(), Number(decoder.readInt64().toString())];
      decoder.readInt32();
      decoder.readUVarIntString();
      return { partition, offset, errorCode: decoder.readInt16() };
    });
    return [...found, { partition: -1, offset: -1, errorCode: decoder.readInt16() }];
  };
  const answers = await ask(coordinator, OFFSET_FETCH, encode, decode, [UNSTABLE_OFFSET_COMMIT]);
  const stable = answers.filter(({ partition, errorCode }) => partition >= 0 && errorCode === 0);
  return new Map(stable.map(({ partition, offset }) => [partition, offset]));
}

export interface TransactionOffsets {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly groupId: string;
  readonly member: Membership;
  readonly topic: string;
  /** By partition. */
  readonly offsets: ReadonlyMap<number, number>;
}

/** Kafka's name of the error when we are no member of this generation: ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID. */
export async function txnOffsetCommit(coordinator: Coordinator, what: TransactionOffsets): Promise<void> {
  const { transactionalId, groupId, producerId, producerEpoch, member, topic, offsets } = what;
  const encode = () => {
    const partitions = Array.from(offsets, ([partition, offset]) =>
      tagged(encoder().writeInt32(partition).writeInt64(offset).writeInt32(-1).writeUVarIntString(null)),
    );
    const topics = [tagged(encoder().writeUVarIntString(topic).writeUVarIntArray(partitions))];
    return tagged(
      request()
        .writeUVarIntString(transactionalId)
        .writeUVarIntString(groupId)
        .writeInt64(producerId)
        .writeInt16(producerEpoch)
        .writeInt32(member.generation)
        .writeUVarIntString(member.memberId)
        .writeUVarIntString(null)
        .writeUVarIntArray(topics),
    );
  };
  const decode = (decoder: Decoder) => {
    decoder.readInt32();
    return topicsOf(decoder, () => ({ partition: decoder.readInt32(), errorCode: decoder.readInt16() }));
  };
  await ask(coordinator, TXN_OFFSET_COMMIT, encode, decode);
}

/** @throws kafkajs's error for the first code that is none of `allowed`. */
async function ask<T extends { readonly errorCode: number }>(
  coordinator: Coordinator,
  which: typeof OFFSET_FETCH,
  encode: () => Encoder,
  decode: (decoder: Decoder) => readonly T[],
  allowed: readonly number[] = [],
): Promise<readonly T[]> {
  const send = (coordinator as unknown as Record<symbol, (request: Request<readonly T[]>) => Promise<readonly T[]>>)[
    SEND
  ]!;
  return await send.call(coordinator, {
    request: { ...which, encode: async () => encode() },
    response: {
      async decode(data) {
        const decoder = new NewDecoder(data);
        decoder.readTaggedFields();
        return decode(decoder);
      },
      async parse(answers) {
        const failed = answers.find(({ errorCode }) => errorCode !== 0 && !allowed.includes(errorCode));
        if (failed) throw createErrorFromCode(failed.errorCode);
        return answers;
      },
    },
  });
}

const encoder = (): Encoder => new NewEncoder();
/** Empty tagged fields end each structure of a flexible version, and the request's header. */
const tagged = (written: Encoder): Encoder => written.writeUVarIntBytes();
const request = (): Encoder => tagged(encoder());

function topicsOf<T>(decoder: Decoder, read: () => T): T[] {
  const partition = () => {
    const found = read();
    decoder.readTaggedFields();
    return found;
  };
  const topic = () => {
    decoder.readUVarIntString();
    const partitions = decoder.readUVarIntArray(partition) ?? [];
    decoder.readTaggedFields();
    return partitions;
  };
  return (decoder.readUVarIntArray(topic) ?? []).flat();
}
