import { GenericContainer, Wait } from "testcontainers";
import type { TestProject } from "vitest/node";
import { hasDocker } from "./docker.ts";
import { startKafka } from "./kafka.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** `127.0.0.1:port` of the run's one broker; null: there is no Docker here. */
    kafka: string | null;
    /** `redis://127.0.0.1:port` of the run's one Redis; null: there is no Docker here. */
    redis: string | null;
  }
}

interface Servers {
  kafka: string;
  redis: string;
  stop(): Promise<void>;
}

// Vitest runs this file once a project, each in a module of its own: what they share has to lie outside of it.
const shared = globalThis as { metrobusTestServers?: { users: number; servers: Promise<Servers> } };

/** One Kafka and one Redis for all projects of the run. Without Docker the tests that need them skip; in CI that is an error. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | void> {
  if (!(await hasDocker())) {
    if (process.env["CI"] === "true")
      throw new Error("CI=true, and there is no Docker for the tests on Kafka and Redis");
    project.provide("kafka", null);
    project.provide("redis", null);
    return;
  }
  const entry = (shared.metrobusTestServers ??= { users: 0, servers: startServers() });
  entry.users++;
  const { kafka, redis, stop } = await entry.servers;
  project.provide("kafka", kafka);
  project.provide("redis", redis);
  return async () => {
    if (--entry.users > 0) return;
    delete shared.metrobusTestServers;
    await stop();
  };
}

async function startServers(): Promise<Servers> {
  const [kafka, redis] = await Promise.all([startKafka(), startRedis()]);
  return {
    kafka: kafka.brokers,
    redis: `redis://127.0.0.1:${redis.getMappedPort(6379)}`,
    stop: async () => void (await Promise.all([kafka.stop(), redis.stop()])),
  };
}

function startRedis() {
  return new GenericContainer("redis:8")
    .withExposedPorts(6379)
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .start();
}
