/**
 * Exactly-once by hand with kafkajs: a transactional producer per input partition, at most 1,000 messages a transaction,
 * and the first retry after 5 ms instead of 300, since the broker may still be ending the transaction before.
 */
import { Kafka, logLevel, type Producer } from "kafkajs";
import { answer, setting } from "./answer.ts";
import { batchByHand } from "./hop-by-hand.ts";

const AT_ONCE = 1_000;
const kafka = new Kafka({ brokers: [setting.brokers], logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: setting.group, maxBytesPerPartition: 800_000 });
const producers = new Map<number, Promise<Producer>>();

async function open(partition: number): Promise<Producer> {
  const producer = kafka.producer({
    transactionalId: `${setting.group}-${setting.topic}-${partition}`,
    idempotent: true,
    maxInFlightRequests: 1,
    retry: { initialRetryTime: 5 },
  });
  await producer.connect();
  return producer;
}

function producerOf(partition: number): Promise<Producer> {
  const producer = producers.get(partition) ?? open(partition);
  producers.set(partition, producer);
  return producer;
}

answer();
consumer.on(consumer.events.CRASH, () => process.exit(1));
await consumer.connect();
await consumer.subscribe({ topic: setting.topic, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  partitionsConsumedConcurrently: 4,
  eachBatch: async ({ batch: { topic, partition, messages }, resolveOffset }) => {
    const producer = await producerOf(partition);
    for (let first = 0; first < messages.length; first += AT_ONCE) {
      const part = messages.slice(first, first + AT_ONCE);
      const last = part.at(-1)!.offset;
      const transaction = await producer.transaction();
      await transaction.sendBatch({ acks: -1, topicMessages: batchByHand(part) });
      const partitions = [{ partition, offset: String(BigInt(last) + 1n) }];
      await transaction.sendOffsets({ consumerGroupId: setting.group, topics: [{ topic, partitions }] });
      await transaction.commit();
      resolveOffset(last);
    }
  },
});
