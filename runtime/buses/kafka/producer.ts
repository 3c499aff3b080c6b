import type { Kafka, Producer } from "kafkajs";
import { wasWritten } from "./client-repairs.ts";
import type { NewClient } from "./client.ts";
import { connection } from "./connection.ts";
import { rootOf } from "./failures.ts";
import { topicMessages, type Chunk } from "./place.ts";

export interface ProducerConnection {
  /** One attempt. Resolves when all in-sync replicas have every record; else rejects, and some may have been written. */
  send(chunks: readonly Chunk[]): Promise<void>;
  close(): Promise<void>;
}

/** kafkajs leaves out partitions that its metadata don't have, without a word: they are away, or the topic has fewer of them now. */
export class NotAcknowledged extends Error {
  readonly chunks: readonly Chunk[];

  constructor(chunks: readonly Chunk[]) {
    const { partition, topic } = chunks[0]!;
    super(`partition ${partition} of topic "${topic}" was not acknowledged`);
    this.chunks = chunks;
  }
}

/** Those of the chunks that an attempt which failed with this error has not written for sure. */
export function unwritten(chunks: readonly Chunk[], error: unknown): readonly Chunk[] {
  if (error instanceof NotAcknowledged) return error.chunks;
  const root = rootOf(error);
  const rest = chunks.filter(({ topic, partition }) => !wasWritten(root, topic, partition));
  return rest.length > 0 ? rest : chunks;
}

/**
 * A producer that is replaced after every failure: a kafkajs producer keeps topics that are gone and stops for all
 * others. It never retries by itself, since its retries lose acknowledged records when leaders move (upstream #1798),
 * and it is not idempotent, since an idempotent one loses records after a failed send.
 */
export function producerConnection(newClient: NewClient): ProducerConnection {
  const { use, close } = connection(newClient, newProducer);
  return { send: (chunks) => use((producer) => sendAll(producer, chunks)), close };
}

function newProducer(kafka: Kafka): Producer {
  return kafka.producer({
    retry: { retries: 0 },
    allowAutoTopicCreation: false,
    // Every record has its partition already.
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition!,
  });
}

async function sendAll(producer: Producer, chunks: readonly Chunk[]): Promise<void> {
  const answers = await producer.sendBatch({ acks: -1, topicMessages: topicMessages(chunks) });
  const acknowledged = new Set(
    answers.filter(({ errorCode }) => errorCode === 0).map((answer) => `${answer.partition} ${answer.topicName}`),
  );
  const missing = chunks.filter(({ topic, partition }) => !acknowledged.has(`${partition} ${topic}`));
  if (missing.length > 0) throw new NotAcknowledged(missing);
}
