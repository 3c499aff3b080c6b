import type { Message as KafkaMessage } from "kafkajs";
import type { Outgoing } from "../../bus.ts";
import { partitionOf } from "../murmur2.ts";
import { toHeaders } from "./headers.ts";
import type { Topic } from "./topics.ts";

/** Records of one partition that go out in one request: Kafka keeps or refuses them as one. */
export interface Chunk {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly Outgoing[];
}

/** Requests to send one after the other; each has at most one chunk per partition, since kafkajs joins them otherwise. */
export type Rounds = readonly (readonly Chunk[])[];

/** kafkajs makes one batch of a partition's records, and a batch above the topic's limit fails as a whole. */
const CHUNK_BYTES = 900_000;
/** At most so much is around the records of a batch. */
export const BATCH_OVERHEAD = 100;
const RECORD_OVERHEAD = 24;

/** An upper bound of what the record takes on the wire. */
export function bytesOf({ key, value, headers }: Pick<Outgoing, "key" | "value" | "headers">): number {
  let bytes = RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, content] of headers) bytes += 10 + name.length * 3 + (content?.length ?? 0);
  return bytes;
}

/**
 * Gives each record its partition, as Kafka's own clients do: by its key; those without one stay together for a call, so
 * that they share a batch. Order is kept within each partition.
 */
export function place(records: readonly Outgoing[], topicOf: (name: string) => Topic | undefined): Rounds {
  const rounds: Chunk[][] = [];
  const open = new Map<string, Filling>();
  const keyless = new Map<string, number>();
  for (const record of records) {
    const { partitions, maxBytes } = topicOf(record.topic)!;
    const partition = record.key ? partitionOf(record.key, partitions) : sticky(keyless, record.topic, partitions);
    const place = `${partition} ${record.topic}`;
    const bytes = bytesOf(record);
    let filling = open.get(place);
    if (!filling || filling.bytes + bytes > Math.min(CHUNK_BYTES, maxBytes)) {
      filling = { round: filling ? filling.round + 1 : 0, bytes: BATCH_OVERHEAD, records: [] };
      open.set(place, filling);
      (rounds[filling.round] ??= []).push({ topic: record.topic, partition, records: filling.records });
    }
    filling.records.push(record);
    filling.bytes += bytes;
  }
  return rounds;
}

interface Filling {
  readonly round: number;
  readonly records: Outgoing[];
  bytes: number;
}

function sticky(chosen: Map<string, number>, topic: string, partitions: number): number {
  const partition = chosen.get(topic) ?? Math.floor(Math.random() * partitions);
  chosen.set(topic, partition);
  return partition;
}

/** Chunks as kafkajs takes them: by topic. */
export function topicMessages(chunks: readonly Chunk[]): { topic: string; messages: KafkaMessage[] }[] {
  const byTopic = new Map<string, Grouped>();
  for (const { topic, partition, records } of chunks) {
    const messages = byTopic.get(topic) ?? new Grouped();
    byTopic.set(topic, messages);
    messages.add(partition, records.map(messageOf));
  }
  return Array.from(byTopic, ([topic, messages]) => ({ topic, messages }));
}

export function messageOf({ key, value, headers }: Outgoing): KafkaMessage {
  return { key, value, headers: toHeaders(headers) };
}

/** kafkajs groups a topic's messages by their partition, with `reduce`, and copies the group for each: these are grouped already. */
class Grouped extends Array<KafkaMessage> {
  readonly #groups: Record<number, KafkaMessage[]> = {};

  add(partition: number, messages: KafkaMessage[]): void {
    this.#groups[partition] = messages;
    for (const message of messages) this.push(message);
  }

  override reduce(): never {
    return this.#groups as never;
  }
}
