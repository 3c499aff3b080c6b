import { ConfigError } from "./errors.ts";
import { ignoredSettings, misspeltNames, missingSettings, readPem, shown, type Given } from "./setting-faults.ts";
import { settings, type Setting, type SettingName, type Settings, type Values } from "./settings.ts";
import type { TripBounds } from "./trip-store.ts";

export type { Settings } from "./settings.ts";

/** Environment → frozen `Config`; the only reader of process.env. All faults are reported at once. */

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
  readonly delivery: "at-least-once" | "exactly-once";
  readonly concurrency: number;
  readonly attempts: number;
  /** Milliseconds, as all that end in Ms. */
  readonly timeLimitMs: number;
  readonly envelope: "payload" | "body";
  readonly connectTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  readonly tracing: boolean;
  readonly trips: "on" | "off" | "payload";
  readonly tripBounds: TripBounds;
  /** Paths of what is left out of payloads that are kept. */
  readonly redact: readonly string[];
  /** "": it has none. */
  readonly version: string;
  readonly healthPort: number | null;
  readonly logLevel: string;
  readonly logFormat: "json" | "pretty";
  readonly port: number;
  /** Who may do what on the status page. */
  readonly web: {
    /** Name → hash of the password. */
    readonly operators: ReadonlyMap<string, string>;
    /** In lower case; null: no header is trusted. */
    readonly trustHeader: string | null;
    /** Addresses and CIDR ranges. */
    readonly trustProxy: readonly string[];
    readonly publicDetails: boolean;
  };
  readonly dataFolder: string;
}

/**
 * The configuration: `overrides`, else the environment, else the defaults. An empty value counts as not set.
 * @throws ConfigError naming every fault at once: a wrong value, a setting that would be ignored, a name that is none, a file that can't be read.
 */
export function loadConfig(overrides: Settings = {}, environment: NodeJS.ProcessEnv = process.env): Config {
  const given = inForce(overrides, environment);
  const faults = misspeltNames(given);
  const values = parseValues(given, faults);
  const set = (name: SettingName) => Boolean(given[name]);
  faults.push(...ignoredSettings(values, set), ...missingSettings(values, set));
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
    delivery: values.METROBUS_DELIVERY!,
    concurrency: values.METROBUS_CONCURRENCY!,
    attempts: values.METROBUS_ATTEMPTS!,
    timeLimitMs: values.METROBUS_TIME_LIMIT!,
    envelope: values.METROBUS_ENVELOPE!,
    connectTimeoutMs: values.METROBUS_CONNECT_TIMEOUT!,
    sessionTimeoutMs: values.METROBUS_SESSION_TIMEOUT!,
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT!,
    tracing: values.METROBUS_TRACING!,
    trips: values.METROBUS_TRIPS!,
    tripBounds: {
      perSecond: values.METROBUS_TRIPS_PER_SECOND!,
      keepMs: values.METROBUS_TRIPS_KEEP!,
      most: values.METROBUS_TRIPS_MOST!,
    },
    redact: values.METROBUS_REDACT ?? [],
    version: values.METROBUS_VERSION ?? "",
    healthPort: values.HEALTH_PORT ?? null,
    logLevel: values.LOG_LEVEL!,
    logFormat: values.LOG_FORMAT ?? (process.stderr.isTTY ? "pretty" : "json"),
    port: values.PORT!,
    web: {
      operators: values.WEB_OPERATORS ?? new Map<string, string>(),
      trustHeader: values.WEB_TRUST_HEADER ?? null,
      trustProxy: values.WEB_TRUST_PROXY ?? [],
      publicDetails: values.WEB_PUBLIC_DETAILS!,
    },
    dataFolder: values.METROBUS_DATA!,
  } satisfies Config);
}

/**
 * Code that chooses the memory bus, as the demo does, sets aside all that the environment says of Kafka. For a service
 * named kafka Kubernetes sets KAFKA_PORT=tcp://…, which is no setting of ours.
 */
function inForce(overrides: Settings, environment: Given): Given {
  const isMoot = (name: string) => overrides.METROBUS_BUS === "memory" && /^(kafka|security|sasl|ssl)[_.]/i.test(name);
  const isLink = (name: string, value = "") => name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(value);
  const kept = Object.entries(environment).filter(([name, value]) => !isMoot(name) && !isLink(name, value));
  return { ...Object.fromEntries(kept), ...overrides };
}

function parseValues(given: Given, faults: string[]): Values {
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings) as [SettingName, Setting][]) {
    const raw = given[name] || setting.fallback;
    if (raw === "") continue;
    const parsed = setting.schema.safeParse(raw);
    if (parsed.success) values[name] = parsed.data;
    else faults.push(`${shown(name, raw)}: ${parsed.error.issues[0]?.message}. ${setting.doc}`);
  }
  return values as Values;
}

function withoutUndefined<T extends object>(object: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never;
}
