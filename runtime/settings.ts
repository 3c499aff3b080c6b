import { z } from "zod";
import {
  addresses,
  brokerList,
  duration,
  flag,
  headerName,
  host,
  operators,
  paths,
  port,
  text,
  topicName,
  whole,
} from "./setting-kinds.ts";

/** The table of settings: every environment variable, how it is read, and what it means. `docs/configuration.md` is tested against it. */

export interface Setting {
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
    schema: host,
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
    doc: "Where counts go, and what the option `once` keeps: `redis`, or `memory` (seen by this process only). Default: redis with the bus kafka, else memory.",
  },
  REDIS_HOST: {
    schema: host,
    fallback: "localhost",
    doc: "Host of Redis (6.2 or newer, no cluster), with REDIS_PORT; for TLS or a log-in set REDIS_URL instead.",
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
    schema: host,
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
  METROBUS_PARTITIONS: {
    schema: whole(1, 10_000),
    fallback: "4",
    doc: "Partitions of a topic that metrobus creates: with METROBUS_CREATE_TOPICS, or by `create()` in code.",
  },
  METROBUS_REPLICATION: { schema: whole(1, 100), fallback: "1", doc: "Its replicas." },
  METROBUS_DEAD_LETTER_TOPIC: { schema: topicName, fallback: "Error", doc: "Where dead letters are kept." },
  METROBUS_MAX_HOPS: {
    schema: whole(1, 10_000),
    fallback: "64",
    doc: "How many stops a route may have, those visited included.",
  },
  METROBUS_DELIVERY: {
    schema: z.enum(["at-least-once", "exactly-once"]),
    fallback: "at-least-once",
    doc: "What a message's way through a stop is worth: `at-least-once` is faster, `exactly-once` sends and marks as done in one transaction.",
  },
  METROBUS_CONCURRENCY: {
    schema: whole(1, 10_000),
    fallback: "1",
    doc: "Callbacks of one partition running at once. At 1 order is kept per partition, above per key.",
  },
  METROBUS_ATTEMPTS: {
    schema: whole(1, 1_000),
    fallback: "3",
    doc: "How often a failing callback is tried before the message is put off or a dead letter.",
  },
  METROBUS_TIME_LIMIT: {
    schema: duration("1ms"),
    fallback: "30s",
    doc: "How long one attempt of a callback may take.",
  },
  METROBUS_ENVELOPE: {
    schema: z.enum(["payload", "body"]),
    fallback: "payload",
    doc: "The envelope's field for the payload in messages that get their route here: `body` for Python metrobus up to 0.0.13.",
  },
  METROBUS_CONNECT_TIMEOUT: {
    schema: duration("1ms"),
    fallback: "60s",
    doc: "How long start-up waits for the broker before it gives up.",
  },
  METROBUS_SESSION_TIMEOUT: {
    schema: duration("1s"),
    fallback: "30s",
    doc: "How long a process may be silent before its partitions are given to others (Kafka's session time-out).",
  },
  SHUTDOWN_TIMEOUT: {
    schema: duration("0s"),
    fallback: "8s",
    doc: "How long running callbacks may still take when the process is told to end.",
  },
  METROBUS_TRACING: {
    schema: flag,
    fallback: "off",
    doc: "A span for each message at each stop, for the OpenTelemetry SDK that the process has set up.",
  },
  METROBUS_TRIPS: {
    schema: z.enum(["on", "off", "payload"]),
    fallback: "on",
    doc: "Record the trips of some messages, and of those that fail, for the status page: `on`; with their payloads: `payload`; `off`. Set the same at every stop, as what follows.",
  },
  METROBUS_TRIPS_PER_SECOND: {
    schema: whole(1, 10_000),
    fallback: "50",
    doc: "Of about so many messages a second the trips are recorded.",
  },
  METROBUS_TRIPS_KEEP: { schema: duration("1s"), fallback: "1h", doc: "How long a trip is kept after its last visit." },
  METROBUS_TRIPS_MOST: {
    schema: whole(1, 10_000_000),
    fallback: "100000",
    doc: "So many trips are kept; of more the oldest go. (Of those that failed 10,000.)",
  },
  METROBUS_REDACT: {
    schema: paths,
    fallback: "",
    doc: "What is left out of the payloads of trips, paths with commas between: `email,card.number`; `*` is any name, arrays are gone through.",
  },
  METROBUS_VERSION: {
    schema: text,
    fallback: "",
    doc: "What the status page calls the version of the stops in this process, such as a tag or a commit.",
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
  WEB_OPERATORS: {
    schema: operators,
    fallback: "",
    doc: "Who may act on the status page: `name:hash` as `metrobus operator <name>` prints it, several with commas between.",
    secret: true,
  },
  WEB_TRUST_HEADER: {
    schema: headerName,
    fallback: "",
    doc: "The header in which a proxy tells who has logged in there; who it names may act. Needs WEB_TRUST_PROXY.",
  },
  WEB_TRUST_PROXY: {
    schema: addresses,
    fallback: "",
    doc: "Addresses and ranges of proxies, commas between: WEB_TRUST_HEADER and `X-Forwarded-For`, `-Proto` and `-Host` are believed from these only.",
  },
  WEB_PUBLIC_DETAILS: {
    schema: flag,
    fallback: "false",
    doc: "Show payloads, keys, ids, headers and error texts to everybody, not to operators only.",
  },
  METROBUS_DATA: {
    schema: text,
    fallback: "data",
    doc: "The folder of the demo's data files, emails.dat and whitelist.dat.",
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;
/** Settings by their environment names, as text, as in the environment. */
export type Settings = { readonly [Name in SettingName]?: string };
/** What was read, by name; undefined: not set, and no default. */
export type Values = { [Name in SettingName]: z.output<(typeof settings)[Name]["schema"]> | undefined };
