import { hashPassword, type Settings } from "metrobus";
import { startWeb, type Web } from "../../web-status/server.ts";
import { line, type Line } from "./line.ts";
import { unique } from "./probe.ts";

/** A bus on real servers, with a status page in front of it. */
export interface Operated extends AsyncDisposable {
  readonly settings: Settings;
  readonly line: Line;
  readonly web: Web;
  /** A topic that no other test uses. */
  topic(word: string): string;
  /** Asks the page as the operator ann; with a body it is a POST. */
  ask<Answer>(path: string, body?: object): Promise<Answer>;
}

export const PASSWORD = "correct horse battery";
const hashes = Promise.all([hashPassword(PASSWORD), hashPassword(PASSWORD)]);

/** As a program says who it is. */
export const basic = (name: string): string => `Basic ${Buffer.from(`${name}:${PASSWORD}`).toString("base64")}`;

/** `database` of Redis is nobody else's. Operators are ann and bob. */
export async function operated(
  servers: { brokers: string; redis: string; database: number },
  more: Settings = {},
): Promise<Operated> {
  const suffix = unique("").slice(1, 7);
  const topic = (word: string) => `${word}-${suffix}`;
  const [ann, bob] = await hashes;
  const settings: Settings = {
    METROBUS_BUS: "kafka",
    KAFKA_BROKERS: servers.brokers,
    REDIS_URL: `${servers.redis}/${servers.database}`,
    METROBUS_STATS: "redis",
    METROBUS_CREATE_TOPICS: "true",
    METROBUS_PARTITIONS: "2",
    METROBUS_ATTEMPTS: "1",
    METROBUS_DEAD_LETTER_TOPIC: topic("Letters"),
    METROBUS_SESSION_TIMEOUT: "6s",
    WEB_OPERATORS: `ann:${ann},bob:${bob}`,
    PORT: "0",
    LOG_LEVEL: "silent",
    ...more,
  };
  const bus = await line(settings);
  const web = await startWeb({ settings });
  return {
    settings,
    line: bus,
    web,
    topic,
    async ask(path, body) {
      const response = await fetch(web.url + path, {
        headers: { authorization: basic("ann"), "content-type": "application/json" },
        ...(body && { method: "POST", body: JSON.stringify(body) }),
      });
      const answer = (await response.json()) as never;
      if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`);
      return answer;
    },
    async [Symbol.asyncDispose]() {
      await web.close();
      await bus[Symbol.asyncDispose]();
    },
  };
}
