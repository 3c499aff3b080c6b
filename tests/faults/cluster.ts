import { Kafka, logLevel, type Admin } from "kafkajs";
import { GenericContainer, Network, Wait, type StartedNetwork, type StartedTestContainer } from "testcontainers";
import { Toxiproxy, type Proxy } from "toxiproxy-node-client";
import { docker, freePort } from "../support/docker.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { waitFor } from "./patience.ts";

const SMALL_DISK = "/small-disk";

/** The disk of one of three brokers: small, and in memory. It outlasts the broker. */
export interface Disk {
  readonly node: Node;
  fill(): Promise<void>;
  free(): Promise<void>;
}

export interface Node {
  readonly id: number;
  readonly container: string;
  /** All ways of processes under test to it. */
  readonly proxies: readonly Proxy[];
}

/** Kafka, Redis and toxiproxy, made for the faults. */
export interface Cluster extends AsyncDisposable {
  /** For processes under test: whatever a broker tells of its address leads through its proxy. */
  readonly brokers: string;
  /** For the harness: past the proxies. */
  readonly direct: string;
  readonly redis: RedisServer;
  readonly nodes: readonly Node[];
  /** null: there is one broker only. */
  readonly disk: Disk | null;
  /** Every connection of a process under test goes through one of these. */
  readonly proxies: readonly Proxy[];
  /** For peers in containers: in this network the broker is called `kafka`, through a proxy, and Redis `redis`. */
  readonly network: StartedNetwork;
  readonly admin: <T>(ask: (admin: Admin) => Promise<T>) => Promise<T>;
  /** Runs one of Kafka's own programs in a container, such as `kafka-leader-election.sh`. */
  tool(program: string, args: readonly string[], input?: string): Promise<string>;
  /**
   * Partitions with records that no reader of committed ones is given yet: a transaction is open before them. A process that
   * was killed leaves one open until the broker, which looks every 10 s, finds that its time is over.
   */
  uncommitted(topics: readonly string[]): Promise<string[]>;
  /** Resolves when every partition has all its replicas in sync. */
  healthy(): Promise<void>;
}

interface Place {
  readonly id: number;
  readonly direct: number;
  readonly proxied: number;
  /** The name of its volume. */
  readonly disk: string | null;
}

const PROXY_PORT = 10_000;

/** Starts as many brokers; with three of them, each partition is on all and takes records while two are in sync. */
export async function startCluster(size: 1 | 3): Promise<Cluster> {
  const network = await new Network().start();
  const volume = `${network.getName()}-disk`;
  const [toxics, redis, holder, ...ports] = await Promise.all([
    startProxies(network, size),
    startRedis(),
    size === 3 ? makeDisk(volume) : null,
    ...Array.from({ length: size }, freePort),
  ]);
  const places = ports.map((direct, at) => ({
    id: at + 1,
    direct,
    proxied: toxics.getMappedPort(PROXY_PORT + at + 1),
    disk: at === 2 ? volume : null,
  }));
  const containers = await Promise.all(places.map((place) => startBroker(network, place, size)));
  const toxiproxy = new Toxiproxy(`http://127.0.0.1:${toxics.getMappedPort(8474)}`);
  const upstreams = places.map(({ id }) => [`broker-${id}`, PROXY_PORT + id, `broker-${id}:9092`] as const);
  const between = [...upstreams, ["python", 9092, "broker-1:9094"] as const].map(([name, port, upstream]) =>
    toxiproxy.createProxy({ name, listen: `0.0.0.0:${port}`, upstream }),
  );
  await docker("network", "connect", "--alias", "redis", network.getName(), redis.container);
  const direct = places.map((place) => `127.0.0.1:${place.direct}`).join(",");
  const admin = adminOf(direct);
  const tool: Cluster["tool"] = (...what) => runTool(containers[0]!, ...what);
  let gone: Promise<void> | undefined;
  const proxies = await Promise.all(between);
  const nodes = places.map(({ id }, at) => ({
    id,
    container: containers[at]!.getId(),
    proxies: proxies.filter(({ upstream }) => upstream.startsWith(`broker-${id}:`)),
  }));
  return {
    brokers: places.map((place) => `127.0.0.1:${place.proxied}`).join(","),
    direct,
    redis,
    nodes,
    disk: holder && { node: nodes[2]!, fill: () => fill(holder), free: () => free(holder) },
    proxies,
    network,
    admin,
    tool,
    uncommitted: (topics) => uncommitted(admin, tool, topics),
    healthy: () =>
      waitFor(
        () => admin(allInSync),
        120,
        () => "not every partition has all its replicas in sync",
      ),
    [Symbol.asyncDispose]: () => (gone ??= end()),
  };

  /** Once, though an interrupted run asks twice. */
  async function end(): Promise<void> {
    await Promise.all([...containers, toxics, ...(holder ? [holder] : [])].map((each) => each.stop({ timeout: 0 })));
    if (holder) await docker("volume", "rm", volume);
    await redis.remove();
    await network.stop();
  }
}

/** A disk in memory is gone when nobody holds it: a container that does nothing else. */
async function makeDisk(volume: string): Promise<StartedTestContainer> {
  const options = ["type=tmpfs", "device=tmpfs", "o=size=768m,mode=1777"].flatMap((option) => ["--opt", option]);
  await docker("volume", "create", "--driver", "local", ...options, volume);
  return await new GenericContainer("redis:8")
    .withCommand(["sleep", "infinity"])
    .withBindMounts([{ source: volume, target: SMALL_DISK }])
    .start();
}

/** Opens or closes a way; what is connected through it is cut. */
export async function switched({ listen, upstream, toxiproxy, name }: Proxy, enabled: boolean): Promise<void> {
  await (await toxiproxy.get(name)).update({ enabled, listen, upstream });
}

async function fill(holder: StartedTestContainer): Promise<void> {
  await holder.exec(["dd", "if=/dev/zero", `of=${SMALL_DISK}/ballast`, "bs=1M"]);
}

async function free(holder: StartedTestContainer): Promise<void> {
  await holder.exec(["rm", `${SMALL_DISK}/ballast`]);
}

async function startProxies(network: StartedNetwork, size: number): Promise<StartedTestContainer> {
  return await new GenericContainer("ghcr.io/shopify/toxiproxy:2.12.0")
    .withNetwork(network)
    .withNetworkAliases("kafka")
    .withExposedPorts(8474, ...Array.from({ length: size }, (_, at) => PROXY_PORT + at + 1))
    .withWaitStrategy(Wait.forLogMessage(/Starting Toxiproxy HTTP server/))
    .start();
}

async function startBroker(network: StartedNetwork, place: Place, size: number): Promise<StartedTestContainer> {
  const broker = new GenericContainer("apache/kafka:4.1.1")
    .withNetwork(network)
    .withNetworkAliases(`broker-${place.id}`)
    .withEnvironment(environment(place, size))
    .withExposedPorts({ container: 9093, host: place.direct })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(180_000);
  if (place.disk) broker.withBindMounts([{ source: place.disk, target: SMALL_DISK }]);
  return await broker.start();
}

function environment({ id, direct, proxied, disk }: Place, size: number): Record<string, string> {
  const replicas = String(size);
  const insync = size === 1 ? "1" : "2";
  return {
    KAFKA_NODE_ID: String(id),
    KAFKA_PROCESS_ROLES: "broker,controller",
    KAFKA_LISTENERS: "PROXIED://:9092,DIRECT://:9093,PYTHON://:9094,INNER://:19092,CONTROLLER://:29093",
    KAFKA_ADVERTISED_LISTENERS: `PROXIED://127.0.0.1:${proxied},DIRECT://127.0.0.1:${direct},PYTHON://kafka:9092,INNER://broker-${id}:19092`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: ["PROXIED", "DIRECT", "PYTHON", "INNER", "CONTROLLER"]
      .map((name) => `${name}:PLAINTEXT`)
      .join(","),
    KAFKA_INTER_BROKER_LISTENER_NAME: "INNER",
    KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
    KAFKA_CONTROLLER_QUORUM_VOTERS: Array.from({ length: size }, (_, at) => `${at + 1}@broker-${at + 1}:29093`).join(
      ",",
    ),
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false",
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: "0",
    KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: "1000",
    KAFKA_DEFAULT_REPLICATION_FACTOR: replicas,
    KAFKA_MIN_INSYNC_REPLICAS: insync,
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: replicas,
    KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: "5",
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: replicas,
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: insync,
    KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS: "5",
    // A broker that is gone is missed soon, and not by mistake on a busy machine.
    KAFKA_BROKER_SESSION_TIMEOUT_MS: "6000",
    KAFKA_REPLICA_LAG_TIME_MAX_MS: "10000",
    KAFKA_HEAP_OPTS: "-Xmx512m",
    ...(disk && { KAFKA_LOG_DIRS: SMALL_DISK }),
  };
}

async function runTool(container: StartedTestContainer, program: string, args: readonly string[], input = "") {
  const script = `printf %s "$INPUT" | /opt/kafka/bin/${program} --bootstrap-server broker-1:19092 "$@"`;
  const env = { INPUT: input, KAFKA_HEAP_OPTS: "-Xmx128m" };
  const result = await container.exec(["sh", "-c", script, program, ...args], { env });
  if (result.exitCode !== 0)
    throw new Error(`${program} ${args.join(" ")} ended with ${result.exitCode}: ${result.output}`);
  return result.output;
}

/** A client for each question: what a fault did to the last one's connections is nobody's business. */
function adminOf(brokers: string): Cluster["admin"] {
  const kafka = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.NOTHING, retry: { retries: 10 } });
  return async (ask) => {
    const admin = kafka.admin();
    try {
      await admin.connect();
      return await ask(admin);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  };
}

async function uncommitted(
  admin: Cluster["admin"],
  tool: Cluster["tool"],
  topics: readonly string[],
): Promise<string[]> {
  // kafkajs asks for the ends of what is committed, Kafka's program for those of what is written.
  const stable = await admin((open) => Promise.all(topics.map((topic) => open.fetchTopicOffsets(topic))));
  const printed = await tool("kafka-get-offsets.sh", ["--topic", topics.join("|")]);
  const written = new Map(
    Array.from(printed.matchAll(/^(\S+:\d+):(\d+)$/gm), ([, place, end]) => [place, Number(end)]),
  );
  return topics.flatMap((topic, at) =>
    stable[at]!.flatMap(({ partition, high }) => {
      const end = written.get(`${topic}:${partition}`);
      if (end === Number(high)) return [];
      return [`${topic} ${partition}: committed up to ${high}, written up to ${end ?? "?"}`];
    }),
  );
}

async function allInSync(admin: Admin): Promise<boolean> {
  const { topics } = await admin.fetchTopicMetadata();
  return topics.every(({ partitions }) => partitions.every(({ isr, replicas }) => isr.length === replicas.length));
}
