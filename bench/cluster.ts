import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel, type Admin, type Producer } from "kafkajs";
import { startKafka } from "../tests/support/kafka.ts";
import { startRedis } from "../tests/support/redis.ts";
import { readable, sizeOf, span, type Bounds, type Span } from "./read.ts";

/** Kafka (one broker) and Redis of the bench's own. */
export interface Servers extends AsyncDisposable {
  readonly brokers: string;
  readonly redis: string;
}

/** What the bench itself asks of Kafka. */
export interface Cluster extends AsyncDisposable {
  readonly servers: Servers;
  readonly producer: Producer;
  /** Creates those that are missing. */
  create(topics: readonly string[], partitions: number): Promise<void>;
  /** How many records lie in the topics, those that end transactions too. */
  count(topics: readonly string[]): Promise<number>;
  /** How many of a topic's records a group has done. */
  done(group: string, topic: string): Promise<number>;
  /** Removes the topics' records. */
  empty(topics: readonly string[]): Promise<void>;
  span(topics: readonly string[]): Promise<Span>;
  readable(topic: string): Promise<Map<number, number>>;
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
  const bounds = (topics: readonly string[]): Promise<Bounds[][]> =>
    Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)));
  await admin.createTopics({ topics: [{ topic: "Error", numPartitions: 1 }], waitForLeaders: true });
  return {
    servers,
    producer,
    create: (topics, partitions) => createTopics(admin, topics, partitions),
    count: async (topics) => sizeOf((await bounds(topics)).flat()),
    async done(groupId, topic) {
      const position = () => admin.fetchOffsets({ groupId, topics: [topic] });
      const [[all], [offsets]] = await Promise.all([bounds([topic]), loaded(position)]);
      const lows = new Map(all!.map(({ partition, low }) => [partition, Number(low)]));
      return offsets!.partitions.reduce((sum, { partition, offset }) => {
        return sum + Math.max(0, Number(offset) - lows.get(partition)!);
      }, 0);
    },
    async empty(topics) {
      const all = await bounds(topics);
      for (const [at, topic] of topics.entries()) {
        const partitions = all[at]!.map(({ partition, high: offset }) => ({ partition, offset }));
        await admin.deleteTopicRecords({ topic, partitions });
      }
    },
    async span(topics) {
      const all = await bounds(topics);
      const spans = await Promise.all(topics.map((topic, at) => span(kafka, topic, all[at]!)));
      return { first: Math.min(...spans.map(({ first }) => first)), last: Math.max(...spans.map(({ last }) => last)) };
    },
    readable: async (topic) => readable(kafka, topic, await admin.fetchTopicOffsets(topic)),
    [Symbol.asyncDispose]: async () => void (await Promise.all([admin.disconnect(), producer.disconnect()])),
  };
}

/** A broker's first group, and the topic that groups are kept in, are not there at once. */
const NOT_YET = ["GROUP_LOAD_IN_PROGRESS", "NOT_COORDINATOR_FOR_GROUP"];

async function loaded<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!NOT_YET.includes((error as { type?: string }).type ?? "")) throw error;
      await sleep(100);
    }
  }
}

async function createTopics(admin: Admin, topics: readonly string[], numPartitions: number): Promise<void> {
  const configEntries = [{ name: "message.timestamp.type", value: "LogAppendTime" }];
  const specs = topics.map((topic) => ({ topic, numPartitions, configEntries }));
  await admin.createTopics({ topics: specs, waitForLeaders: true });
}
