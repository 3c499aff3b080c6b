import { Kafka, logLevel, type Admin, type Producer } from "kafkajs";
import { startKafka } from "../tests/support/kafka.ts";
import { startRedis } from "../tests/support/redis.ts";
import { PARTITIONS, topics } from "./message.ts";
import { appended, sizeOf, span, type Span } from "./read.ts";

/** Kafka (one broker) and Redis of the bench's own. */
export interface Servers extends AsyncDisposable {
  readonly brokers: string;
  readonly redis: string;
}

/** What the bench itself asks of Kafka. */
export interface Cluster extends AsyncDisposable {
  readonly servers: Servers;
  readonly producer: Producer;
  /** How many records lie in a topic. */
  count(topic: string): Promise<number>;
  /** Removes a topic's records. */
  empty(topic: string): Promise<void>;
  span(topic: string): Promise<Span>;
  appended(topic: string): Promise<Map<number, number>>;
}

export async function startServers(): Promise<Servers> {
  const [broker, redis] = await Promise.all([startKafka(), startRedis()]);
  return {
    brokers: broker.brokers,
    redis: redis.url,
    [Symbol.asyncDispose]: async () => void (await Promise.all([broker.stop(), redis.remove()])),
  };
}

export async function openCluster(servers: Servers): Promise<Cluster> {
  const kafka = new Kafka({ brokers: [servers.brokers], logLevel: logLevel.NOTHING });
  const [admin, producer] = [kafka.admin(), kafka.producer()];
  await Promise.all([admin.connect(), producer.connect()]);
  await createTopics(admin);
  return {
    servers,
    producer,
    count: async (topic) => sizeOf(await admin.fetchTopicOffsets(topic)),
    async empty(topic) {
      const bounds = await admin.fetchTopicOffsets(topic);
      const partitions = bounds.map(({ partition, high: offset }) => ({ partition, offset }));
      await admin.deleteTopicRecords({ topic, partitions });
    },
    span: async (topic) => span(kafka, topic, await admin.fetchTopicOffsets(topic)),
    appended: async (topic) => appended(kafka, topic, sizeOf(await admin.fetchTopicOffsets(topic))),
    [Symbol.asyncDispose]: async () => void (await Promise.all([admin.disconnect(), producer.disconnect()])),
  };
}

async function createTopics(admin: Admin): Promise<void> {
  const configEntries = [{ name: "message.timestamp.type", value: "LogAppendTime" }];
  const hop = Object.values(topics).map((topic) => ({ topic, numPartitions: PARTITIONS, configEntries }));
  await admin.createTopics({ topics: [...hop, { topic: "Error", numPartitions: 1 }], waitForLeaders: true });
}
