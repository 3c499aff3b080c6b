/** The client's ceiling: kafkajs batch by batch, sent as a batch to all in-sync replicas, and the commit awaited. */
import { Kafka, logLevel } from "kafkajs";
import { answer, setting } from "./answer.ts";
import { batchByHand } from "./hop-by-hand.ts";

const kafka = new Kafka({ brokers: [setting.brokers], logLevel: logLevel.ERROR });
// Smaller than the broker's limit for a batch: a partition's records may all go to one partition, and have grown.
const consumer = kafka.consumer({ groupId: setting.group, maxBytesPerPartition: 800_000 });
const producer = kafka.producer();

answer();
consumer.on(consumer.events.CRASH, () => process.exit(1));
await Promise.all([consumer.connect(), producer.connect()]);
await consumer.subscribe({ topic: setting.topic, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  partitionsConsumedConcurrently: 4,
  eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary }) => {
    const { topic, partition, messages } = batch;
    await producer.sendBatch({ acks: -1, topicMessages: batchByHand(messages) });
    resolveOffset(batch.lastOffset());
    const offset = String(BigInt(batch.lastOffset()) + 1n);
    await commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset }] }] });
  },
});
