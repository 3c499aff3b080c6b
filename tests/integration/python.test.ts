import { Kafka } from "kafkajs";
import { createClient } from "@redis/client";
import { GenericContainer, Network, Wait, type StartedNetwork, type StartedTestContainer } from "testcontainers";
import { beforeAll, describe, expect, test } from "vitest";
import { busdriver } from "../../busdriver/busdriver.ts";
import { topics } from "../../busdriver/routes.ts";
import { contactPoint } from "../../stops/contact-point.ts";
import { log } from "../../stops/log.ts";
import { whitelist } from "../../stops/whitelist.ts";
import { freePort, hasDocker } from "../support/docker.ts";
import { line } from "../support/line.ts";
import { eventually } from "../support/probe.ts";
import { pythonOriginal } from "../support/python-original.ts";

/**
 * The Python original in WhiteList's place, our stops around it: what reaches Log is what our own WhiteList sends there.
 * The broker is called `kafka`, because the original's producer knows no other.
 */

const ANN = "ann@example.com";
const EMAILS = new Map([
  [1000003, ANN],
  [1000004, "eve@example.com"],
]);
const ACCOUNTS = [1000003, 1000004, 1000005];
const ROUTE = { route: [], original_route: ["Log", "WhiteList", "AddEmail"] };
const TRAVELLED = ["AddEmail", "WhiteList", "Log"];

interface Case {
  release: string;
  envelope: "payload" | "body";
  /** The first releases wrote the newest stop in front. */
  travelled?: string[];
}
const OURS = "our own";
const cases: Case[] = [
  { release: OURS, envelope: "payload" },
  { release: "0.0.8", envelope: "body", travelled: ["Log", "AddEmail", "WhiteList"] },
  { release: "0.0.13", envelope: "body" },
  { release: "0.0.16", envelope: "payload" },
  { release: "0.0.23", envelope: "payload" },
];

describe.skipIf(!(await hasDocker()))("with the WhiteList of", () => {
  let image: GenericContainer;
  beforeAll(async () => {
    image = await pythonOriginal();
  });

  test.for(cases)("metrobus $release, `$envelope` envelope", async ({ release, envelope, travelled = TRAVELLED }) => {
    await using servers = await startServers();
    await using bus = await line({
      METROBUS_BUS: "kafka",
      KAFKA_BROKERS: servers.kafka,
      REDIS_URL: servers.redis,
      METROBUS_CREATE_TOPICS: "true",
      METROBUS_ENVELOPE: envelope,
    });
    const printed: string[] = [];
    await bus.stop("Source", busdriver, { input: "raw", creates: topics });
    await bus.stop("AddEmail", contactPoint(EMAILS));
    await bus.stop("Log", log({ print: (text) => printed.push(text) }));
    if (release === OURS) await bus.stop("WhiteList", whitelist(new Set([ANN])));
    else await startPython(servers, image, release);

    for (const [x, account] of ACCOUNTS.entries())
      await bus.metro.send("Source", { x, message_type_code: "ALTABC", account_number: account });

    const payload = { x: 0, message_type_code: "ALTABC", account_number: 1000003, email: ANN, whitelist: true };
    const [atLog] = await bus.records("Log", 1);
    expect(JSON.parse(String(atLog!.value))).toEqual({
      header: {
        ...ROUTE,
        historical_route: travelled,
        id: expect.any(String),
        boarded: expect.any(Number),
        visits: expect.stringMatching(/^@Source:\S+ 1:\S+( 2:\S+)?$/),
      },
      [envelope]: payload,
    });
    await eventually(() => printed.length > 0);
    expect(printed.map((text) => JSON.parse(text) as unknown)).toEqual([
      { ...payload, metrobus_inserted_timestamp: expect.any(Number) },
    ]);
    await eventually(async () => (await counter(servers.redis))["Log"] === "1");
    expect(await counter(servers.redis)).toEqual({ Source: "3", AddEmail: "3", WhiteList: "2", Log: "1" });
    expect(await bus.records("Error")).toEqual([]);
  });
});

interface Servers extends AsyncDisposable {
  kafka: string;
  redis: string;
  network: StartedNetwork;
  containers: StartedTestContainer[];
}

async function startServers(): Promise<Servers> {
  const network = await new Network().start();
  const port = await freePort();
  const containers = await Promise.all([
    new GenericContainer("apache/kafka:4.1.1")
      .withNetwork(network)
      .withNetworkAliases("kafka")
      .withExposedPorts({ container: 29092, host: port })
      .withEnvironment({
        KAFKA_NODE_ID: "1",
        KAFKA_PROCESS_ROLES: "broker,controller",
        KAFKA_LISTENERS: "PLAINTEXT://:9092,OUTER://:29092,CONTROLLER://:9093",
        KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://kafka:9092,OUTER://127.0.0.1:${port}`,
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: "PLAINTEXT:PLAINTEXT,OUTER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
        KAFKA_CONTROLLER_QUORUM_VOTERS: "1@localhost:9093",
        KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false",
        KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: "0",
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: "1",
        KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: "5",
        KAFKA_HEAP_OPTS: "-Xmx512m",
      })
      .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
      .start(),
    new GenericContainer("redis:8")
      .withCommand(["redis-server", "--protected-mode", "no"])
      .withNetwork(network)
      .withNetworkAliases("redis")
      .withExposedPorts(6379)
      .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
      .start(),
  ]);
  const [, redis] = containers;
  return {
    kafka: `127.0.0.1:${port}`,
    redis: `redis://127.0.0.1:${redis.getMappedPort(6379)}`,
    network,
    containers,
    async [Symbol.asyncDispose]() {
      await Promise.all(containers.map((container) => container.stop({ timeout: 0 })));
      await network.stop();
    },
  };
}

/** Resolves when its consumer has its partitions: up to 0.0.20 it reads what comes from then on only. */
async function startPython(servers: Servers, image: GenericContainer, release: string): Promise<void> {
  const group = "my-group"; // has no setting up to 0.0.20
  servers.containers.push(
    await image
      .withNetwork(servers.network)
      .withEnvironment({
        RELEASE: release,
        ALLOWED: ANN,
        CONSUMER_GROUP: group,
        KAFKA_HOST: "kafka",
        REDIS_HOST: "redis",
      })
      .start(),
  );
  const admin = new Kafka({ brokers: [servers.kafka] }).admin();
  await admin.connect();
  const committed = async () => {
    const [topic] = await admin.fetchOffsets({ groupId: group, topics: ["WhiteList"] });
    return topic!.partitions.every(({ offset }) => offset !== "-1");
  };
  await eventually(committed).finally(() => admin.disconnect());
}

/** The hash that the original's users read. */
async function counter(url: string): Promise<Record<string, string>> {
  const redis = await createClient({ url }).connect();
  return redis.hGetAll("counter").finally(() => redis.destroy());
}
