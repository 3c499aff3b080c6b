/**
 * The best loop that the client allows: as each-batch.ts, but the commit is not awaited before the next batch is worked on.
 * Commits of a partition stay in order; what is not committed when the process dies is made again.
 */
import { Kafka, logLevel } from "kafkajs";
import { answer, setting } from "./answer.ts";
import { batchByHand } from "./hop-by-hand.ts";

const kafka = new Kafka({ brokers: [setting.brokers], logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: setting.group, maxBytesPerPartition: 800_000 });
const producer = kafka.producer();
const committing = new Map<number, Promise<void>>();

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
    await committing.get(partition);
    committing.set(partition, commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset }] }] }));
  },
});
