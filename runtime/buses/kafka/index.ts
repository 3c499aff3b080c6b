import type { Logger } from "pino";
import type { Bus, Subscription } from "../../bus.ts";
import type { Config } from "../../config.ts";
import { Unavailable, UnknownTopic } from "../../errors.ts";
import { adminConnection } from "./connection.ts";
import { clientFactory } from "./client.ts";
import { installCodecs } from "./codecs.ts";
import { permanent, rootOf } from "./failures.ts";
import { checkGroup, twoTopics } from "./group-topic.ts";
import { persist } from "./persist.ts";
import { read } from "./read.ts";
import { createSend } from "./send.ts";
import { createSender } from "./sender.ts";
import { laneEnds, positions } from "./state.ts";
import { subscribe } from "./subscribe.ts";
import { topicCatalog } from "./topics.ts";
import { waitForBroker } from "./wait-for-broker.ts";

/**
 * The bus on Kafka (kafkajs). Resolves when a broker answers.
 *
 * @throws Unavailable when none does within `connectTimeoutMs`; ConfigError at once when a log-in or certificate is refused.
 */
export async function kafkaBus(config: Config, log: Logger): Promise<Bus> {
  installCodecs();
  const newClient = clientFactory(config, log);
  const admin = adminConnection(newClient);
  await waitForBroker(config, admin, log).catch(async (error: unknown) => {
    await admin.close();
    throw error;
  });
  const topics = topicCatalog(admin, config);
  const sender = createSender(newClient, topics, config, log);
  /** Group → the topic it reads in this process. */
  const groups = new Map<string, string>();
  const subscriptions = new Set<Subscription>();

  /** What is asked once, by somebody who waits for the answer. */
  async function ask<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const signal = AbortSignal.timeout(config.connectTimeoutMs);
    let last: unknown;
    const failed = (error: unknown) => {
      last = error;
      const fault = permanent(error);
      if (fault) throw fault;
    };
    return await persist(attempt, { what, log, signal, failed }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
      const seconds = config.connectTimeoutMs / 1_000;
      const why = `last error: ${last === undefined ? "none" : rootOf(last).message}`;
      throw new Unavailable(
        `${what}: Kafka at ${config.kafka.brokers.join(", ")} did not answer in ${seconds} s (${why})`,
        last ?? error,
      );
    });
  }

  return {
    name: "kafka",
    features: { exactlyOnce: true, ordered: true, readable: true },

    async consume(options, onBatch) {
      const { topic, group } = options;
      await ask(`asking for topic "${topic}"`, () => topics.find(topic));
      const other = groups.get(group) ?? topic;
      if (other !== topic) throw twoTopics(group, other, topic);
      groups.set(group, topic);
      await ask(`asking for group "${group}"`, () => checkGroup(admin, group, topic));
      const { connectTimeoutMs: joinWithinMs } = config;
      const sessionTimeoutMs = Math.min(config.sessionTimeoutMs, options.silentMs ?? Number.POSITIVE_INFINITY);
      const setting = { newClient, admin, sender, topics, joinWithinMs, sessionTimeoutMs, log };
      const subscription = await subscribe({ options, onBatch, ...setting });
      subscriptions.add(subscription);
      const ended = () => void subscriptions.delete(subscription);
      return { ...subscription, stop: (...how) => subscription.stop(...how).finally(ended) };
    },

    send: createSend(sender, config.connectTimeoutMs),

    async *read(topic, lane, from, limit) {
      await ask(`asking for topic "${topic}"`, () => topics.find(topic));
      yield* read({ topic, lane, from, limit, newClient, ask });
    },

    async knows(topic) {
      return await ask(`asking for topic "${topic}"`, () =>
        topics.refresh(topic).then(
          () => true,
          (error: unknown) => {
            if (error instanceof UnknownTopic) return false;
            throw error;
          },
        ),
      );
    },

    create: (specs) => ask("creating topics", () => topics.create(specs)),

    async state(group, topic) {
      await ask(`asking for topic "${topic}"`, () => topics.find(topic));
      const [lanes, known] = await ask(`asking for the state of topic "${topic}"`, () =>
        Promise.all([laneEnds(admin, topic), positions(admin, group, topic)]),
      );
      return lanes.map(({ partition, low, end }) => {
        const committed = known.get(partition) ?? -1;
        const position = committed >= 0 ? committed : config.start === "latest" ? end : low;
        return { lane: String(partition), low: BigInt(low), position: BigInt(position), end: BigInt(end) };
      });
    },

    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.stop(Date.now())));
      await Promise.all([sender.close(), admin.close()]);
    },
  };
}
