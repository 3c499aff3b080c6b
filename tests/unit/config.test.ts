import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../runtime/config.ts";
import { ConfigError } from "../../runtime/errors.ts";
import { settings, type Settings } from "../../runtime/settings.ts";

const faultsOf = (environment: Record<string, string>, overrides: Settings = {}): readonly string[] => {
  try {
    loadConfig(overrides, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
};

const HASH = `scrypt.15.8.3.${"s".repeat(22)}.${"k".repeat(43)}`;

describe("the configuration", () => {
  test("has its defaults, and what is empty counts as not set", () => {
    expect(loadConfig({}, { KAFKA_PORT: "" })).toMatchObject({
      bus: "kafka",
      kafka: { brokers: ["localhost:9092"], ssl: false, sasl: null },
      stats: "redis",
      redis: { url: "redis://localhost:6379" },
      consumerGroup: "metrobus",
      deadLetterTopic: "Error",
      maxHops: 64,
      attempts: 3,
      timeLimitMs: 30_000,
      sessionTimeoutMs: 30_000,
      shutdownTimeoutMs: 8_000,
    });
    expect(loadConfig({ METROBUS_BUS: "memory" }, {}).stats).toBe("memory");
  });

  test("of the code goes before that of the environment, and is frozen", () => {
    const config = loadConfig({ CONSUMER_GROUP: "mine" }, { CONSUMER_GROUP: "theirs" });
    expect(config.consumerGroup).toBe("mine");
    expect(Object.isFrozen(config)).toBe(true);
  });

  test("tells all its faults at once, quoting each value", () => {
    const faults = faultsOf({
      KAFKA_PORT: "none",
      METROBUS_START: "newest",
      SHUTDOWN_TIMEOUT: "8",
      METROBUS_BUZ: "x",
    });
    expect(faults).toHaveLength(4);
    for (const words of ['KAFKA_PORT="none"', 'METROBUS_START="newest"', 'SHUTDOWN_TIMEOUT="8"', "METROBUS_BUZ"]) {
      expect(faults.join("\n")).toContain(words);
    }
  });

  test.each([
    [{ sasl_username: "u" }, "sasl_username"],
    [
      {
        ssl_ca_location: "/dev/null",
        security_protocol: "SASL_PLAINTEXT",
        sasl_mechanisms: "PLAIN",
        sasl_username: "u",
        sasl_password: "p",
      },
      "ssl_ca_location",
    ],
    [{ KAFKA_BROKERS: "a:1", KAFKA_HOST: "b" }, "KAFKA_HOST"],
    [{ REDIS_URL: "redis://a", REDIS_PORT: "1" }, "REDIS_PORT"],
    [{ redis_ca_location: "/dev/null" }, "redis_ca_location"],
    [{ ELASTIC_PORT: "9200" }, "ELASTIC_PORT"],
    [{ security_protocol: "SSL", ssl_key_password: "p" }, "ssl_key_password"],
    [{ WEB_TRUST_PROXY: "10.0.0.1" }, "WEB_TRUST_PROXY"],
    [{ METROBUS_BUS: "memory", security_protocol: "SSL" }, "security_protocol"],
    [{ METROBUS_BUS: "memory", security_protocol: "SASL_SSL", sasl_password: "p" }, "sasl_password"],
    [{ METROBUS_BUS: "memory", security_protocol: "SSL", ssl_ca_location: "/dev/null" }, "ssl_ca_location"],
  ])("%j would be ignored in part, and is an error that names it", (environment, name) => {
    expect(faultsOf(environment).join("\n")).toContain(`${name} is set but would be ignored`);
  });

  test.each([
    ["METROBUS_SESSION_TIMEOUT", "0s", "at least 1s"],
    ["METROBUS_SESSION_TIMEOUT", "999ms", "at least 1s"],
    ["METROBUS_TIME_LIMIT", "0s", "at least 1ms"],
    ["METROBUS_CONNECT_TIMEOUT", "0m", "at least 1ms"],
    ["METROBUS_PARTITIONS", "0", "from 1 to"],
    ["METROBUS_REPLICATION", "0", "from 1 to"],
    ["METROBUS_ATTEMPTS", "1.5", "whole number from 1 to"],
    ["KAFKA_PORT", "99999", "from 1 to 65535"],
    ["KAFKA_HOST", "kafka://a", "without a scheme"],
    ["KAFKA_HOST", "a:9092", "without a scheme, port"],
    ["ELASTIC_HOST", "http://a", "without a scheme"],
    ["KAFKA_BROKERS", "a:99999", "ports go from 1 to 65535"],
    ["KAFKA_BROKERS", "a:9092,b:0", "ports go from 1 to 65535"],
    ["KAFKA_BROKERS", "kafka://a:9092", "without a scheme"],
    ["KAFKA_BROKERS", "a:9092,b", "host:port"],
    ["METROBUS_DEAD_LETTER_TOPIC", ".", "not '.' or '..'"],
    ["METROBUS_DEAD_LETTER_TOPIC", "..", "not '.' or '..'"],
    ["METROBUS_DEAD_LETTER_TOPIC", "dead letters", "letters, digits"],
    ["METROBUS_DEAD_LETTER_TOPIC", "d".repeat(250), "at most 249"],
    ["WEB_PUBLIC_DETAILS", "yes", "true"],
  ])("does not take %s=%s, and says why", (name, value, why) => {
    const faults = faultsOf({ [name]: value });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(`${name}="${value}"`);
    expect(faults[0]).toContain(why);
  });

  test("takes several brokers", () => {
    const { kafka } = loadConfig({ KAFKA_BROKERS: "kafka-1.example.com:9093, 10.0.0.2:65535" }, {});
    expect(kafka.brokers).toEqual(["kafka-1.example.com:9093", "10.0.0.2:65535"]);
  });

  test("takes a SHUTDOWN_TIMEOUT of nothing: callbacks are not waited for", () => {
    expect(loadConfig({ SHUTDOWN_TIMEOUT: "0s" }, {}).shutdownTimeoutMs).toBe(0);
  });

  test("of a log-in that is not complete names what is missing, and no secret", () => {
    const faults = faultsOf({
      security_protocol: "SASL_SSL",
      sasl_password: "hunter2",
      REDIS_URL: "http://u:hunter3@h",
    }).join("\n");
    expect(faults).toContain("sasl_mechanisms is missing");
    expect(faults).toContain("sasl_username is missing");
    expect(faults).not.toContain("hunter");
  });

  test("knows who may act on the status page", () => {
    const { web } = loadConfig(
      {
        WEB_OPERATORS: `ann:${HASH}, bob@example.com:${HASH}`,
        WEB_TRUST_HEADER: "X-User",
        WEB_TRUST_PROXY: "10.0.0.5, fd00::/8",
        WEB_PUBLIC_DETAILS: "on",
      },
      {},
    );
    expect([...web.operators]).toEqual([
      ["ann", HASH],
      ["bob@example.com", HASH],
    ]);
    expect(web).toMatchObject({ trustHeader: "x-user", trustProxy: ["10.0.0.5", "fd00::/8"], publicDetails: true });
    const none = { operators: new Map(), trustHeader: null, trustProxy: [], publicDetails: false };
    expect(loadConfig({}, {}).web).toEqual(none);
  });

  test.each([
    ["hunter2", "entry 1 must be name:hash"],
    ["ann:$2b$10$hunter2", "entry 1 must be name:hash"],
    [`ann:${HASH},bob:hunter2`, "entry 2 must be name:hash"],
    [`ann:${HASH}, :${HASH}`, "entry 2 must be name:hash"],
    [`ann:${HASH},`, "entry 2 must be name:hash"],
    [`ann:${HASH}:hunter2`, "entry 1 must be name:hash"],
    [`ann:${HASH},ann:${HASH}`, "must have each name once"],
  ])("does not take WEB_OPERATORS=%s, and says where, but not what", (WEB_OPERATORS, where) => {
    const [fault, ...others] = faultsOf({ WEB_OPERATORS });
    expect(others).toEqual([]);
    expect(fault).toContain(`WEB_OPERATORS=(hidden): ${where}`);
    expect(fault).toContain("metrobus operator <name>");
    expect(fault).not.toContain("hunter2");
  });

  test.each(["proxy.example.com", "10.0.0.0/33", "10.0.0.256", "fd00::/129", "10.0.0.1:80", "*", "10.0.0.1,"])(
    "does not take WEB_TRUST_PROXY=%s: it wants addresses",
    (proxy) => {
      const [fault, ...others] = faultsOf({ WEB_TRUST_HEADER: "X-User", WEB_TRUST_PROXY: proxy });
      expect(others).toEqual([]);
      expect(fault).toContain(`WEB_TRUST_PROXY="${proxy}": must be addresses or ranges`);
    },
  );

  test("believes no header unless it knows from whom", () => {
    expect(faultsOf({ WEB_TRUST_HEADER: "X-User" })).toEqual([
      expect.stringContaining("WEB_TRUST_PROXY is missing: WEB_TRUST_HEADER is believed only from"),
    ]);
    const fault = faultsOf({ WEB_TRUST_HEADER: "X-User: ann", WEB_TRUST_PROXY: "::1" }).join("\n");
    expect(fault).toContain('WEB_TRUST_HEADER="X-User: ann": must be the name of a header');
  });

  test("with a certificate file that is none says which and why", () => {
    const faults = faultsOf({
      security_protocol: "SSL",
      ssl_ca_location: "/no/such/ca.pem",
      ssl_certificate_location: "/dev/null",
    });
    expect(faults.join("\n")).toMatch(/ssl_ca_location="\/no\/such\/ca.pem".*ENOENT/);
    expect(faults.join("\n")).toMatch(/ssl_certificate_location="\/dev\/null".*PEM/);
    expect(faults.join("\n")).toContain("go together");
  });

  test("never quotes a key's text, nor a log-in that stands where none belongs", () => {
    const secret = "hunter2";
    const faults = faultsOf({
      security_protocol: "SSL",
      ssl_certificate_location: "/dev/null",
      ssl_key_location: `-----BEGIN PRIVATE KEY-----\n${secret}`,
      ssl_key_password: secret,
      KAFKA_BROKERS: `kafka://user:${secret}@a:9092`,
      ELASTIC_HOST: `user:${secret}@a`,
      REDIS_URL: `https://user:${secret}@a`,
      SASL_PASSWORD: secret,
    }).join("\n");
    for (const name of ["ssl_key_location", "KAFKA_BROKERS", "ELASTIC_HOST", "REDIS_URL"])
      expect(faults).toContain(`${name}=(hidden)`);
    expect(faults).toContain("ssl_key_location=(hidden): this is a PEM text itself");
    expect(faults).toContain("SASL_PASSWORD is no setting");
    expect(faults).not.toContain(secret);
  });

  test.each([
    ["SASL_USERNAME", "sasl_username"],
    ["SASL_MECHANISM", "sasl_mechanisms"],
    ["WEB_OPERATOR", "WEB_OPERATORS"],
    ["SECURITY_PROTOCOL", "security_protocol"],
    ["security.protocol", "security_protocol"],
    ["ssl_ca_locatoin", null],
    ["ssl_cafile", null],
    ["KAFKA_BROKER", "KAFKA_BROKERS"],
    ["kafka_host", "KAFKA_HOST"],
    ["METROBUS_BUZ", "METROBUS_BUS"],
    ["METROBUS_PORT", null],
  ])("with %s, which is no setting, is an error and not ignored", (name, meant) => {
    const [fault, ...others] = faultsOf({ [name]: "x" });
    expect(others).toEqual([]);
    expect(fault).toContain(`${name} is no setting and would be ignored`);
    expect(fault).toContain(meant === null ? "docs/configuration.md" : `did you mean ${meant}?`);
  });

  test.each([
    ["other programs' names", { KAFKA_HOME: "/opt", KAFKA_HEAP_OPTS: "-Xmx1g", SSL_CERT_FILE: "/a", REDIS_URI: "x" }],
    ["another program's broker beside ours", { KAFKA_BROKER: "a", KAFKA_BROKERS: "a:9092" }],
    [
      "addresses of servers that are not used",
      { METROBUS_BUS: "memory", KAFKA_BROKERS: "a:1", REDIS_URL: "redis://a" },
    ],
    ["how topics would be made", { METROBUS_PARTITIONS: "8", METROBUS_REPLICATION: "3" }],
    [
      "what Kubernetes sets for a service named metrobus-…",
      {
        METROBUS_WEB_SERVICE_HOST: "10.0.0.1",
        METROBUS_WEB_PORT: "tcp://10.0.0.1:80",
        METROBUS_WEB_PORT_80_TCP_PORT: "80",
      },
    ],
    ["what Kubernetes sets beside KAFKA_BROKERS", { KAFKA_BROKERS: "a:9092", KAFKA_PORT: "tcp://10.0.0.1:9092" }],
    ["what Kubernetes sets beside REDIS_URL", { REDIS_URL: "redis://a", REDIS_PORT: "tcp://10.0.0.1:6379" }],
  ] as [string, Record<string, string>][])("leaves alone %s", (_, environment) => {
    expect(faultsOf(environment)).toEqual([]);
  });

  test("counts what Kubernetes sets for a service named kafka as not set", () => {
    const { kafka } = loadConfig({}, { KAFKA_HOST: "kafka", KAFKA_PORT: "tcp://10.0.0.1:9092" });
    expect(kafka.brokers).toEqual(["kafka:9092"]);
  });

  test("of code that chooses the memory bus sets aside what the environment says of Kafka", () => {
    const environment = { KAFKA_BROKERS: "a:9093", security_protocol: "SSL", ssl_ca_location: "/no/such/ca.pem" };
    expect(faultsOf(environment, { METROBUS_BUS: "memory" })).toEqual([]);
    expect(faultsOf(environment)).toHaveLength(1);
    expect(faultsOf({}, { METROBUS_BUS: "memory", security_protocol: "SSL" })).toHaveLength(1);
  });

  test("stands whole in docs/configuration.md", () => {
    const page = readFileSync("docs/configuration.md", "utf8");
    const rows = Object.entries(settings).map(
      ([name, { fallback, doc }]) => `| \`${name}\` | ${fallback === "" ? "" : `\`${fallback}\``} | ${doc} |`,
    );
    expect(page.split("\n").filter((line) => line.startsWith("| `"))).toEqual(rows);
  });
});
