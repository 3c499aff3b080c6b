import type { Producer } from "kafkajs";
import { wasWritten } from "./client-repairs.ts";
import type { Client, NewClient } from "./client.ts";
import { rootOf } from "./failures.ts";
import { topicMessages, type Chunk } from "./place.ts";

export interface ProducerConnection {
  /** One attempt. Resolves when all in-sync replicas have every record; else rejects, and some may have been written. */
  send(chunks: readonly Chunk[]): Promise<void>;
  close(): Promise<void>;
}

/** Those of the chunks that an attempt which failed with this error has not written for sure. */
export function unwritten(chunks: readonly Chunk[], error: unknown): readonly Chunk[] {
  const root = rootOf(error);
  const rest = chunks.filter(({ topic, partition }) => !wasWritten(root, topic, partition));
  return rest.length > 0 ? rest : chunks;
}

interface Open {
  readonly client: Client;
  readonly producer: Producer;
  readonly connected: Promise<void>;
}

/**
 * A producer that is replaced after every failure: a kafkajs producer keeps topics that are gone and stops for all
 * others. It never retries by itself, since its retries lose acknowledged records when leaders move (upstream #1798),
 * and it is not idempotent, since an idempotent one loses records after a failed send.
 */
export function producerConnection(newClient: NewClient): ProducerConnection {
  let open: Open | undefined;
  const end = ({ client, producer }: Open) => client.end(() => producer.disconnect());
  return {
    async send(chunks) {
      const used = (open ??= connect(newClient()));
      try {
        await used.connected;
        await sendAll(used.producer, chunks);
      } catch (error) {
        if (open === used) open = undefined;
        void end(used);
        throw error;
      }
    },
    async close() {
      if (open) await end(open);
      open = undefined;
    },
  };
}

function connect(client: Client): Open {
  const producer = client.kafka.producer({
    retry: { retries: 0 },
    allowAutoTopicCreation: false,
    // Every record has its partition already.
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition!,
  });
  return { client, producer, connected: producer.connect() };
}

async function sendAll(producer: Producer, chunks: readonly Chunk[]): Promise<void> {
  const answers = await producer.sendBatch({ acks: -1, topicMessages: topicMessages(chunks) });
  const acknowledged = new Set(
    answers.filter(({ errorCode }) => errorCode === 0).map((answer) => `${answer.partition} ${answer.topicName}`),
  );
  // kafkajs leaves out partitions that its metadata don't have, without a word.
  const missing = chunks.find(({ topic, partition }) => !acknowledged.has(`${partition} ${topic}`));
  if (missing) throw new Error(`partition ${missing.partition} of topic "${missing.topic}" was not acknowledged`);
}
