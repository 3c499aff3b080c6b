import { readFileSync } from "node:fs";
import { z } from "zod";
import { ConfigError } from "./errors.ts";

/**
 * Environment → frozen `Config`; the only reader of process.env. Every setting stands in `settings` below with its
 * meaning; `docs/configuration.md` is tested against it. All faults are reported at once.
 */

const whole = (min: number, max: number) =>
  z.coerce.number("must be a whole number").int("must be a whole number").min(min).max(max);
const port = whole(1, 65_535);
const flag = z.enum(["true", "false", "1", "0", "on", "off"]).transform((word) => ["true", "1", "on"].includes(word));
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
const duration = z
  .string()
  .regex(/^\d+(ms|s|m|h)$/, "must be a whole number with its unit, such as 500ms, 8s or 2m")
  .transform((text) => Number.parseInt(text) * UNITS[text.replace(/^\d+/, "") as keyof typeof UNITS])
  .refine((ms) => ms <= 2_147_483_647, "must be at most 24 days");
const topicName = z
  .string()
  .regex(/^[\w.-]{1,249}$/, "must be a topic name: at most 249 letters, digits, '.', '_' or '-'");
const text = z.string();
const brokerList = z
  .string()
  .transform((list) => list.split(",").map((broker) => broker.trim()))
  .refine(
    (list) => list.every((broker) => /^\S+:\d{1,5}$/.test(broker)),
    "must be host:port, several with commas between",
  );

interface Setting {
  schema: z.ZodType;
  fallback: string;
  doc: string;
  secret?: boolean;
}

/** Every setting: how it is read, what it is when it is not set ("" = nothing), and what it means. */
export const settings = {
  METROBUS_BUS: {
    schema: z.enum(["kafka", "memory"]),
    fallback: "kafka",
    doc: "The bus: `kafka`, or `memory` (inside this process).",
  },
  KAFKA_HOST: {
    schema: text,
    fallback: "localhost",
    doc: "Kafka's host, with KAFKA_PORT; for several brokers set KAFKA_BROKERS instead.",
  },
  KAFKA_PORT: { schema: port, fallback: "9092", doc: "Kafka's port." },
  KAFKA_BROKERS: {
    schema: brokerList,
    fallback: "",
    doc: "Brokers to start from, `host:port` with commas between; in the place of KAFKA_HOST and KAFKA_PORT.",
  },
  security_protocol: {
    schema: z.enum(["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
    fallback: "PLAINTEXT",
    doc: "How to talk to Kafka: with TLS (`SSL`, `SASL_SSL`) and with a log-in (`SASL_PLAINTEXT`, `SASL_SSL`).",
  },
  sasl_mechanisms: {
    schema: z.enum(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]),
    fallback: "",
    doc: "The kind of log-in; needed with a SASL protocol.",
  },
  sasl_username: { schema: text, fallback: "", doc: "Kafka's user; needed with a SASL protocol." },
  sasl_password: { schema: text, fallback: "", doc: "Its password; needed with a SASL protocol.", secret: true },
  ssl_ca_location: {
    schema: text,
    fallback: "",
    doc: "File with the certificate authority (PEM) that signed the brokers' certificates; default: the system's.",
  },
  ssl_certificate_location: {
    schema: text,
    fallback: "",
    doc: "File with the client's certificate (PEM), with ssl_key_location.",
  },
  ssl_key_location: { schema: text, fallback: "", doc: "File with the client's key (PEM)." },
  ssl_key_password: { schema: text, fallback: "", doc: "The key's passphrase.", secret: true },
  METROBUS_STATS: {
    schema: z.enum(["redis", "memory"]),
    fallback: "",
    doc: "Where counts go: `redis`, or `memory` (seen by this process only). Default: redis with the bus kafka, else memory.",
  },
  REDIS_HOST: {
    schema: text,
    fallback: "localhost",
    doc: "Redis's host, with REDIS_PORT; for TLS or a log-in set REDIS_URL instead.",
  },
  REDIS_PORT: { schema: port, fallback: "6379", doc: "Redis's port." },
  REDIS_URL: {
    schema: z.url({ protocol: /^rediss?$/, error: "must be a URL such as rediss://user:password@host:6379/0" }),
    fallback: "",
    doc: "Redis as a URL, `redis://…` or `rediss://…` (TLS); in the place of REDIS_HOST and REDIS_PORT.",
    secret: true,
  },
  redis_ca_location: {
    schema: text,
    fallback: "",
    doc: "File with the certificate authority (PEM) of a `rediss://` server; default: the system's.",
  },
  ELASTIC_HOST: {
    schema: text,
    fallback: "",
    doc: "Elasticsearch's or OpenSearch's host: the log stop then indexes each message there.",
  },
  ELASTIC_PORT: { schema: port, fallback: "9200", doc: "Its port; goes with ELASTIC_HOST." },
  CONSUMER_GROUP: {
    schema: topicName,
    fallback: "metrobus",
    doc: "Prefix of the consumer groups: a stop's group is `<CONSUMER_GROUP>.<topic>`.",
  },
  METROBUS_START: {
    schema: z.enum(["earliest", "latest"]),
    fallback: "earliest",
    doc: "Where a new group, and a partition new to its group, begins to read.",
  },
  METROBUS_CREATE_TOPICS: {
    schema: flag,
    fallback: "false",
    doc: "Create the topics that a stop needs when they are missing.",
  },
  METROBUS_PARTITIONS: { schema: whole(1, 10_000), fallback: "4", doc: "Partitions of a topic created by metrobus." },
  METROBUS_REPLICATION: { schema: whole(1, 100), fallback: "1", doc: "Replicas of a topic created by metrobus." },
  METROBUS_DEAD_LETTER_TOPIC: { schema: topicName, fallback: "Error", doc: "Where dead letters are kept." },
  METROBUS_MAX_HOPS: {
    schema: whole(1, 10_000),
    fallback: "64",
    doc: "How many stops a route may have, those visited included.",
  },
  METROBUS_CONCURRENCY: {
    schema: whole(1, 10_000),
    fallback: "1",
    doc: "Callbacks of one partition running at once. At 1 order is kept per partition, above per key.",
  },
  METROBUS_ATTEMPTS: {
    schema: whole(1, 1_000),
    fallback: "3",
    doc: "How often a failing callback is tried before the message is a dead letter.",
  },
  METROBUS_TIME_LIMIT: { schema: duration, fallback: "30s", doc: "How long one attempt of a callback may take." },
  METROBUS_ENVELOPE: {
    schema: z.enum(["payload", "body"]),
    fallback: "payload",
    doc: "The envelope's field for the payload in messages that get their route here: `body` for Python metrobus up to 0.0.13.",
  },
  METROBUS_CONNECT_TIMEOUT: {
    schema: duration,
    fallback: "60s",
    doc: "How long start-up waits for the broker before it gives up.",
  },
  METROBUS_SESSION_TIMEOUT: {
    schema: duration,
    fallback: "30s",
    doc: "How long a process may be silent before its partitions are given to others (Kafka's session time-out).",
  },
  SHUTDOWN_TIMEOUT: {
    schema: duration,
    fallback: "8s",
    doc: "How long running callbacks may still take when the process is told to end.",
  },
  HEALTH_PORT: {
    schema: whole(0, 65_535),
    fallback: "",
    doc: "Serve `/healthz` and `/readyz` on this port (0: a free one).",
  },
  LOG_LEVEL: {
    schema: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]),
    fallback: "info",
    doc: "The least level that is logged.",
  },
  LOG_FORMAT: {
    schema: z.enum(["json", "pretty"]),
    fallback: "",
    doc: "`json`: a line an event; `pretty`: for people. Default: pretty on a terminal.",
  },
  PORT: { schema: whole(0, 65_535), fallback: "5000", doc: "The port of the status page (0: a free one)." },
  METROBUS_DATA: {
    schema: text,
    fallback: "data",
    doc: "The folder of the demo's data files, emails.dat and whitelist.dat.",
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;
/** Settings by their environment names, as text, as in the environment. */
export type Settings = { readonly [Name in SettingName]?: string };

export interface Config {
  readonly bus: "kafka" | "memory";
  readonly kafka: {
    readonly brokers: readonly string[];
    /** PEM texts; false: no TLS. */
    readonly ssl:
      | false
      | { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly passphrase?: string };
    readonly sasl: null | {
      readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
      readonly username: string;
      readonly password: string;
    };
  };
  readonly stats: "redis" | "memory";
  readonly redis: { readonly url: string; readonly ca: string | null };
  /** Base URL of Elasticsearch or OpenSearch; null: the log stop only prints. */
  readonly elastic: string | null;
  readonly consumerGroup: string;
  readonly start: "earliest" | "latest";
  readonly createTopics: boolean;
  readonly partitions: number;
  readonly replication: number;
  readonly deadLetterTopic: string;
  readonly maxHops: number;
  readonly concurrency: number;
  readonly attempts: number;
  /** Milliseconds, as all that end in Ms. */
  readonly timeLimitMs: number;
  readonly envelope: "payload" | "body";
  readonly connectTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  readonly healthPort: number | null;
  readonly logLevel: string;
  readonly logFormat: "json" | "pretty";
  readonly port: number;
  readonly dataFolder: string;
}

type Values = { [Name in SettingName]: z.output<(typeof settings)[Name]["schema"]> | undefined };

/**
 * The configuration: `overrides`, else the environment, else the defaults. An empty value counts as not set.
 * @throws ConfigError naming every fault at once: a wrong value, a setting that would be ignored, a name that is none, a file that can't be read.
 */
export function loadConfig(overrides: Settings = {}, environment: NodeJS.ProcessEnv = process.env): Config {
  const given: Record<string, string | undefined> = { ...environment, ...overrides };
  const faults: string[] = unknownNames(given);
  const values = parseValues(given, faults);
  const set = (name: SettingName) => Boolean(given[name]);
  faults.push(...ignoredSettings(values, set));
  const file = (name: SettingName) => (set(name) ? readPem(name, given[name]!, faults) : undefined);
  const ssl = {
    ca: file("ssl_ca_location"),
    cert: file("ssl_certificate_location"),
    key: file("ssl_key_location"),
    passphrase: values.ssl_key_password,
  };
  const redisCa = file("redis_ca_location") ?? null;
  if (faults.length > 0) throw new ConfigError(faults);
  const bus = values.METROBUS_BUS!;
  return Object.freeze({
    bus,
    kafka: {
      brokers: values.KAFKA_BROKERS ?? [`${values.KAFKA_HOST}:${values.KAFKA_PORT}`],
      ssl: values.security_protocol!.endsWith("SSL") ? withoutUndefined(ssl) : false,
      sasl: values.security_protocol!.startsWith("SASL")
        ? {
            mechanism: values.sasl_mechanisms!.toLowerCase() as "plain",
            username: values.sasl_username!,
            password: values.sasl_password!,
          }
        : null,
    },
    stats: values.METROBUS_STATS ?? (bus === "kafka" ? "redis" : "memory"),
    redis: { url: values.REDIS_URL ?? `redis://${values.REDIS_HOST}:${values.REDIS_PORT}`, ca: redisCa },
    elastic: values.ELASTIC_HOST ? `http://${values.ELASTIC_HOST}:${values.ELASTIC_PORT}` : null,
    consumerGroup: values.CONSUMER_GROUP!,
    start: values.METROBUS_START!,
    createTopics: values.METROBUS_CREATE_TOPICS!,
    partitions: values.METROBUS_PARTITIONS!,
    replication: values.METROBUS_REPLICATION!,
    deadLetterTopic: values.METROBUS_DEAD_LETTER_TOPIC!,
    maxHops: values.METROBUS_MAX_HOPS!,
    concurrency: values.METROBUS_CONCURRENCY!,
    attempts: values.METROBUS_ATTEMPTS!,
    timeLimitMs: values.METROBUS_TIME_LIMIT!,
    envelope: values.METROBUS_ENVELOPE!,
    connectTimeoutMs: values.METROBUS_CONNECT_TIMEOUT!,
    sessionTimeoutMs: values.METROBUS_SESSION_TIMEOUT!,
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT!,
    healthPort: values.HEALTH_PORT ?? null,
    logLevel: values.LOG_LEVEL!,
    logFormat: values.LOG_FORMAT ?? (process.stderr.isTTY ? "pretty" : "json"),
    port: values.PORT!,
    dataFolder: values.METROBUS_DATA!,
  } satisfies Config);
}

function parseValues(given: Record<string, string | undefined>, faults: string[]): Values {
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings) as [SettingName, Setting][]) {
    const raw = given[name] || setting.fallback;
    if (raw === "") continue;
    const parsed = setting.schema.safeParse(raw);
    if (parsed.success) values[name] = parsed.data;
    else
      faults.push(
        `${name}=${setting.secret ? "(hidden)" : JSON.stringify(raw)}: ${parsed.error.issues[0]?.message}. ${setting.doc}`,
      );
  }
  return values as Values;
}

/** A METROBUS_… name that is none is most likely a typing error: it would be ignored. Kubernetes sets some for a service of that name. */
function unknownNames(given: Record<string, string | undefined>): string[] {
  return Object.keys(given)
    .filter((name) => name.startsWith("METROBUS_") && !/_(SERVICE|PORT)(_|$)/.test(name) && !(name in settings))
    .map(
      (name) =>
        `${name} is not a setting of metrobus and would be ignored: correct its name (see docs/configuration.md) or remove it`,
    );
}

function ignoredSettings(values: Values, set: (name: SettingName) => boolean): string[] {
  const faults: string[] = [];
  const protocol = values.security_protocol;
  const ignored = (name: SettingName, why: string) =>
    set(name) && faults.push(`${name} is set but would be ignored: ${why}`);
  if (set("KAFKA_BROKERS")) {
    for (const name of ["KAFKA_HOST", "KAFKA_PORT"] as const)
      ignored(name, "KAFKA_BROKERS is set too; keep one of the two");
  }
  if (set("REDIS_URL")) {
    for (const name of ["REDIS_HOST", "REDIS_PORT"] as const)
      ignored(name, "REDIS_URL is set too; keep one of the two");
  }
  for (const name of ["sasl_mechanisms", "sasl_username", "sasl_password"] as const) {
    if (!protocol?.startsWith("SASL"))
      ignored(name, `security_protocol is ${protocol}; set it to SASL_SSL or SASL_PLAINTEXT`);
    else if (!set(name))
      faults.push(
        `${name} is missing: security_protocol=${protocol} needs sasl_mechanisms, sasl_username and sasl_password`,
      );
  }
  for (const name of ["ssl_ca_location", "ssl_certificate_location", "ssl_key_location", "ssl_key_password"] as const) {
    if (!protocol?.endsWith("SSL")) ignored(name, `security_protocol is ${protocol}; set it to SSL or SASL_SSL`);
  }
  if (set("ssl_certificate_location") !== set("ssl_key_location"))
    faults.push("ssl_certificate_location and ssl_key_location go together: set both, or neither");
  if (!values.REDIS_URL?.startsWith("rediss:")) ignored("redis_ca_location", "REDIS_URL is no rediss:// URL");
  if (!set("ELASTIC_HOST")) ignored("ELASTIC_PORT", "ELASTIC_HOST is not set");
  return faults;
}

function readPem(name: string, path: string, faults: string[]): string | undefined {
  try {
    const pem = readFileSync(path, "utf8");
    if (!pem.includes("-----BEGIN "))
      faults.push(
        `${name}=${JSON.stringify(path)}: the file is not in PEM format (no "-----BEGIN"); convert it with openssl`,
      );
    return pem;
  } catch (error) {
    faults.push(
      `${name}=${JSON.stringify(path)}: the file can't be read (${(error as NodeJS.ErrnoException).code}); correct the path or its permissions`,
    );
    return undefined;
  }
}

function withoutUndefined<T extends object>(object: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never;
}
