/** What people write with kafkajs: one message after the other, each sent and awaited. */
import { Kafka, logLevel } from "kafkajs";
import { answer, setting } from "./answer.ts";
import { hopByHand } from "./hop-by-hand.ts";

const kafka = new Kafka({ brokers: [setting.brokers], logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: setting.group });
const producer = kafka.producer();

answer();
consumer.on(consumer.events.CRASH, () => process.exit(1));
await Promise.all([consumer.connect(), producer.connect()]);
await consumer.subscribe({ topic: setting.topic, fromBeginning: true });
await consumer.run({
  eachMessage: async ({ message }) => {
    const out = hopByHand(message);
    await producer.send({ topic: out.topic, messages: [out.message] });
  },
});
