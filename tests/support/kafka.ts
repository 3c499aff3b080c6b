import { GenericContainer, Wait, type StartedTestContainer } from "testcontainers";
import { freePort } from "./docker.ts";

export interface KafkaBroker {
  /** `127.0.0.1:port`, the same after a restart. */
  readonly brokers: string;
  readonly container: StartedTestContainer;
  /** Runs one of Kafka's own programs inside the container, such as `kafka-topics.sh`; `input` goes to its stdin. */
  tool(program: string, args: readonly string[], input?: string): Promise<string>;
  /** Stops the broker in order and starts it again; resolves when it is up. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface KafkaOptions {
  /** Of the port that `brokers` names; the one inside the container (`localhost:19092`) is always PLAINTEXT. */
  protocol?: "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";
  /** More settings, as environment variables of the image. The outer port is the listener named OUTER. */
  env?: Record<string, string>;
  files?: { content: string; target: string }[];
}

const INNER = "localhost:19092";

/** Starts a broker of its own (KRaft, one node, topics are not created by themselves). */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaBroker> {
  const port = await freePort();
  const container = await new GenericContainer("apache/kafka:4.1.1")
    .withEnvironment({ ...environment(port, options.protocol ?? "PLAINTEXT"), ...options.env })
    .withCopyContentToContainer((options.files ?? []).map((file) => ({ ...file, mode: 0o644 })))
    .withExposedPorts({ container: 9092, host: port })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(120_000)
    .start();
  return {
    brokers: `127.0.0.1:${port}`,
    container,
    tool: (program, args, input) => runTool(container, program, args, input),
    restart: () => container.restart({ timeout: 30_000 }),
    stop: async () => void (await container.stop()),
  };
}

function environment(port: number, protocol: string): Record<string, string> {
  return {
    KAFKA_NODE_ID: "1",
    KAFKA_PROCESS_ROLES: "broker,controller",
    KAFKA_LISTENERS: "OUTER://:9092,INNER://:19092,CONTROLLER://:29093",
    KAFKA_ADVERTISED_LISTENERS: `OUTER://127.0.0.1:${port},INNER://${INNER}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: `OUTER:${protocol},INNER:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    KAFKA_INTER_BROKER_LISTENER_NAME: "INNER",
    KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
    KAFKA_CONTROLLER_QUORUM_VOTERS: "1@localhost:29093",
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false",
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: "0",
    // Tests that kill a member don't wait for the usual time-outs.
    KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: "1000",
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: "1",
    KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: "5",
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: "1",
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: "1",
    KAFKA_HEAP_OPTS: "-Xmx512m",
  };
}

async function runTool(container: StartedTestContainer, program: string, args: readonly string[], input = "") {
  const script = `printf %s "$INPUT" | /opt/kafka/bin/${program} --bootstrap-server ${INNER} "$@"`;
  const result = await container.exec(["sh", "-c", script, program, ...args], {
    env: { INPUT: input, KAFKA_HEAP_OPTS: "-Xmx128m" },
  });
  if (result.exitCode !== 0)
    throw new Error(`${program} ${args.join(" ")} ended with ${result.exitCode}: ${result.output}`);
  return result.output;
}
