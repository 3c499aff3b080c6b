import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Delivery, Settings } from "metrobus";
import { docker } from "../support/docker.ts";
import { PYTHON_IMAGE, pythonOriginal } from "../support/python-original.ts";
import type { Cluster } from "./cluster.ts";
import type { Program } from "./process.ts";

export const DELIVERIES: readonly Delivery[] = ["at-least-once", "exactly-once"];

export interface HopSetting {
  readonly topic: string;
  readonly letters: string;
  readonly workMs: number;
}

/** Whatever does one hop as a process: metrobus, and what people use in its place. */
export interface Subject {
  readonly name: string;
  /** Of metrobus only: what it has promised. */
  readonly delivery?: Delivery;
  /** Messages without a key have no order. */
  readonly keyless?: true;
  /** The most that it can do a second, of three stops. */
  readonly atMostPerSecond?: number;
  /** To be called once, before any program. */
  prepare?(): Promise<unknown>;
  program(cluster: Cluster, setting: HopSetting): Program;
}

const file = (name: string) => join(import.meta.dirname, "fixtures", name);

/** A stop that passes on what comes, after some ms of work. */
export function passOn(topic: string, workMs: number, env: Settings): Program {
  const args = ["--import", file("at-step.ts"), file("pass-on.ts"), topic, String(workMs)];
  return { command: process.execPath, args, env };
}

export const metrobus = (delivery: Delivery): Subject => stops(delivery, () => delivery);

/** The stop in the middle works at least once between two that work exactly once: so does the route. */
export const mixed: Subject = stops("at-least-once", (topic) => (isSecond(topic) ? "at-least-once" : "exactly-once"));

const isSecond = (topic: string): boolean => topic.startsWith("B");

function stops(delivery: Delivery, deliveryOf: (topic: string) => Delivery): Subject {
  return {
    name: `metrobus ${delivery}`,
    delivery,
    program: ({ brokers, redis }, { topic, letters, workMs }) =>
      passOn(topic, workMs, {
        METROBUS_BUS: "kafka",
        KAFKA_BROKERS: brokers,
        REDIS_URL: redis.url,
        METROBUS_DEAD_LETTER_TOPIC: letters,
        METROBUS_SESSION_TIMEOUT: "3s",
        METROBUS_DELIVERY: deliveryOf(topic),
        // Order is by key then, which the books look at.
        METROBUS_CONCURRENCY: isSecond(topic) ? "8" : "1",
        LOG_FORMAT: "json",
        HEALTH_PORT: "0",
      }),
  };
}

const inNode = (name: string, fixture: string): Subject => ({
  name,
  atMostPerSecond: 500,
  program: ({ brokers }, { topic }) => ({
    command: process.execPath,
    args: [file(fixture), topic, brokers],
    env: {},
  }),
});

const kafkajs = inNode("kafkajs eachMessage + send", "each-message.ts");
const nestjs = inNode("NestJS", "nest.ts");

/** The release of PyPI in its image (tests/integration/python), reached as it knows to reach Kafka: under the name `kafka`. */
const python: Subject = {
  name: "Python metrobus",
  keyless: true,
  atMostPerSecond: 200,
  prepare: pythonOriginal,
  program({ network }, { topic }) {
    const name = `metrobus-faults-${randomUUID()}`;
    const env = { TOPIC: topic, RELEASE: "0.0.23", CONSUMER_GROUP: `metrobus.${topic}`, KAFKA_HOST: "kafka" };
    const settings = Object.entries({ ...env, REDIS_HOST: "redis" }).flatMap(([key, value]) => [
      "-e",
      `${key}=${value}`,
    ]);
    const where = ["--network", network.getName(), "-v", `${file("")}:/fixtures:ro`];
    const run = ["sh", "-c", "PYTHONPATH=/opt/$RELEASE:/opt/shared exec python3 -u /fixtures/pass_on.py"];
    return {
      command: "docker",
      args: ["run", "--rm", "--init", "--name", name, ...where, ...settings, PYTHON_IMAGE, ...run],
      env: {},
      signal: (signal) => inContainer(name, signal),
    };
  },
};

/** The first process of a container can't be stopped by a signal; all of it can be paused. */
function inContainer(name: string, signal: NodeJS.Signals): Promise<unknown> {
  if (signal === "SIGSTOP") return docker("pause", name);
  if (signal === "SIGCONT") return docker("unpause", name);
  return docker("kill", "--signal", signal, name);
}

/** What users have today. */
export const PEERS: readonly Subject[] = [kafkajs, nestjs, python];
