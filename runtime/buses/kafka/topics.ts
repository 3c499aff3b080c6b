import kafkajs from "kafkajs";
import type { Config } from "../../config.ts";
import type { TopicSpec } from "../../bus.ts";
import { ConfigError, UnknownTopic } from "../../errors.ts";
import type { AdminConnection } from "./connection.ts";
import { isUnknownTopic, notAuthorized, rootOf, typeOf } from "./failures.ts";

export interface Topic {
  readonly partitions: number;
  /** Kafka's max.message.bytes: the largest batch of records, and so the largest record, that it takes. */
  readonly maxBytes: number;
}

export interface Topics {
  /** As last known, at most minutes old; asks nobody. */
  known(topic: string): Topic | undefined;
  /** Asks when it is not known. Throws UnknownTopic, MetrobusError (not authorized), or the client's error. */
  find(topic: string): Promise<Topic>;
  /** As known half a second ago at most: for whoever is about to refuse something because of it. Throws as `find`. */
  fresh(topic: string): Promise<Topic>;
  /** Asks anew. */
  refresh(topic: string): Promise<Topic>;
  create(specs: readonly TopicSpec[]): Promise<void>;
}

/** Kafka's default, for whoever may not ask. */
const DEFAULT_MAX_BYTES = 1_048_588;
/** A dead letter is its message and more. */
const LETTERS_MAX_BYTES = 10 * 1024 * 1024;
const GOOD_FOR_MS = 5 * 60_000;
/** Ten thousand messages that a topic does not take, or that is not there, should not be as many questions. */
const FRESH_FOR_MS = 500;

/** The names of topics that don't exist come from messages, and may be as many. */
const MOST_ABSENT = 1_000;

interface Entry {
  readonly topic: Topic;
  readonly askedAt: number;
}

/**
 * What is known of topics. Topics that don't exist must never reach a producer: kafkajs asks for all topics it ever
 * sent to at once, so that a missing one stops the others.
 */
export function topicCatalog(admin: AdminConnection, config: Config): Topics {
  const entries = new Map<string, Entry>();
  /** Those that don't exist, and when that was asked. */
  const absent = new Map<string, number>();
  const asking = new Map<string, Promise<Topic>>();

  function known(name: string): Topic | undefined {
    const entry = entries.get(name);
    if (!entry) return undefined;
    if (performance.now() - entry.askedAt > GOOD_FOR_MS) void refresh(name).catch(() => undefined);
    return entry.topic;
  }

  async function find(name: string): Promise<Topic> {
    return known(name) ?? (await fresh(name));
  }

  async function fresh(name: string): Promise<Topic> {
    const entry = entries.get(name);
    const askedAt = entry?.askedAt ?? absent.get(name) ?? -Infinity;
    if (performance.now() - askedAt > FRESH_FOR_MS) return await refresh(name);
    if (!entry) throw new UnknownTopic(name);
    return entry.topic;
  }

  function refresh(name: string): Promise<Topic> {
    const asked = asking.get(name) ?? ask(name).finally(() => asking.delete(name));
    asking.set(name, asked);
    return asked;
  }

  async function ask(name: string): Promise<Topic> {
    const topic = await describe(admin, name);
    absent.delete(name);
    if (topic) {
      entries.set(name, { topic, askedAt: performance.now() });
      return topic;
    }
    entries.delete(name);
    absent.set(name, performance.now());
    const [oldest] = absent.keys();
    if (absent.size > MOST_ABSENT) absent.delete(oldest!);
    throw new UnknownTopic(name);
  }

  async function missing(name: string): Promise<boolean> {
    return await refresh(name).then(
      () => false,
      (error: unknown) => {
        if (error instanceof UnknownTopic) return true;
        throw error;
      },
    );
  }

  async function create(specs: readonly TopicSpec[]): Promise<void> {
    const absent = await Promise.all(specs.map(({ topic }) => missing(topic)));
    const wanted = new Map(specs.filter((_, at) => absent[at]).map((spec) => [spec.topic, spec]));
    if (wanted.size === 0) return;
    // One by one: what somebody else is creating at the same time does not keep the others from being created.
    for (const spec of wanted.values()) await createTopic(admin, spec, config);
    while ((await Promise.all([...wanted.keys()].map(missing))).includes(true)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return { known, find, fresh, refresh, create };
}

/** null: it does not exist. */
async function describe(admin: AdminConnection, topic: string): Promise<Topic | null> {
  return await admin.use(async (open) => {
    try {
      const { topics } = await open.fetchTopicMetadata({ topics: [topic] });
      const partitions = topics.find(({ name }) => name === topic)?.partitions.length;
      if (!partitions) return null;
      const maxBytes = await open
        .describeConfigs({
          resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: ["max.message.bytes"] }],
          includeSynonyms: false,
        })
        .then(({ resources }) => Number(resources[0]?.configEntries[0]?.configValue) || DEFAULT_MAX_BYTES)
        .catch(() => DEFAULT_MAX_BYTES);
      return { partitions, maxBytes };
    } catch (error) {
      if (isUnknownTopic(error) || typeOf(error) === "INVALID_TOPIC_EXCEPTION") return null;
      if (typeOf(error) === "TOPIC_AUTHORIZATION_FAILED") throw notAuthorized(topic);
      throw error;
    }
  });
}

async function createTopic(
  admin: AdminConnection,
  { topic, partitions, keepMs, keepForever }: TopicSpec,
  config: Config,
) {
  const configEntries = keepForever
    ? [
        { name: "retention.ms", value: "-1" },
        { name: "retention.bytes", value: "-1" },
        { name: "max.message.bytes", value: String(LETTERS_MAX_BYTES) },
      ]
    : keepMs === undefined
      ? []
      : [{ name: "retention.ms", value: String(keepMs) }];
  const numPartitions = partitions ?? config.partitions;
  const spec = { topic, numPartitions, replicationFactor: config.replication, configEntries };
  try {
    await admin.use((open) => open.createTopics({ topics: [spec], waitForLeaders: false }));
  } catch (error) {
    const { message } = rootOf(error);
    if (["TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"].includes(typeOf(error)))
      throw notAuthorized(topic);
    if (
      ["INVALID_REPLICATION_FACTOR", "INVALID_PARTITIONS", "POLICY_VIOLATION", "INVALID_TOPIC_EXCEPTION"].includes(
        typeOf(error),
      )
    )
      throw new ConfigError([
        `topic "${topic}" can't be created with ${numPartitions} partitions and ${config.replication} replicas (${message}): correct METROBUS_PARTITIONS or METROBUS_REPLICATION, or create it by hand`,
      ]);
    throw error;
  }
}
