import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError, UnknownTopic } from "../../runtime/errors.ts";
import { hasDocker } from "../support/docker.ts";
import { startKafka, type KafkaBroker } from "../support/kafka.ts";
import { openKafkaBus } from "../support/kafka-bus.ts";
import { eventually, everything, message, probe, text, unique } from "../support/probe.ts";

const MODULES = "org.apache.kafka.common.security";
const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;
const [USER, PASSWORD] = ["anna", "correct horse"];
/** The broker's own certificate, and the authority of its clients. */
const tls = {
  KAFKA_LISTENER_NAME_OUTER_SSL_KEYSTORE_TYPE: "PEM",
  KAFKA_LISTENER_NAME_OUTER_SSL_KEYSTORE_LOCATION: "/tmp/broker.pem",
  KAFKA_LISTENER_NAME_OUTER_SSL_TRUSTSTORE_TYPE: "PEM",
  KAFKA_LISTENER_NAME_OUTER_SSL_TRUSTSTORE_LOCATION: "/tmp/ca.pem",
};
/** May log in, and nothing else. */
const GUEST = "bert";

describe.skipIf(!(await hasDocker()))("Kafka with TLS and a log-in (skipped without Docker)", () => {
  let kafka: KafkaBroker;
  let folder: string;
  let files: { target: string; content: string }[];
  let secure: { security_protocol: string; ssl_ca_location: string; sasl_username: string; sasl_password: string };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "metrobus-tls-"));
    makeCertificates(folder);
    const pem = (name: string) => readFileSync(join(folder, name), "utf8");
    files = [
      { target: "/tmp/broker.pem", content: pem("broker.key") + pem("broker.crt") },
      { target: "/tmp/ca.pem", content: pem("ca.crt") },
    ];
    kafka = await startKafka({
      protocol: "SASL_SSL",
      files,
      env: {
        ...tls,
        KAFKA_SASL_ENABLED_MECHANISMS: MECHANISMS.join(","),
        KAFKA_LISTENER_NAME_OUTER_PLAIN_SASL_JAAS_CONFIG: `${MODULES}.plain.PlainLoginModule required user_${USER}="${PASSWORD}" user_${GUEST}="${PASSWORD}";`,
        KAFKA_AUTHORIZER_CLASS_NAME: "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        KAFKA_SUPER_USERS: `User:ANONYMOUS;User:${USER}`,
        ...Object.fromEntries(
          ["256", "512"].map((bits) => [
            `KAFKA_LISTENER_NAME_OUTER_SCRAM___SHA___${bits}_SASL_JAAS_CONFIG`,
            `${MODULES}.scram.ScramLoginModule required;`,
          ]),
        ),
      },
    });
    for (const mechanism of MECHANISMS.slice(1)) {
      const credential = `${mechanism}=[password=${PASSWORD}]`;
      const user = ["--entity-type", "users", "--entity-name", USER];
      await kafka.tool("kafka-configs.sh", ["--alter", ...user, "--add-config", credential]);
    }
    secure = {
      security_protocol: "SASL_SSL",
      ssl_ca_location: join(folder, "ca.crt"),
      sasl_username: USER,
      sasl_password: PASSWORD,
    };
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await kafka.stop();
  });

  const refusal = (settings: Record<string, string>) =>
    openKafkaBus(kafka.brokers, settings).then(
      () => expect.unreachable("the bus was opened"),
      (error: unknown) => error as Error,
    );

  test.each(MECHANISMS)("messages come and go by %s", async (sasl_mechanisms) => {
    const bus = await openKafkaBus(kafka.brokers, { ...secure, sasl_mechanisms } as never);
    const topic = unique("topic");
    await bus.create([{ topic, partitions: 1 }]);
    await bus.send([message(topic, "k", "by TLS")]);
    const { records } = await probe(bus, { topic, group: unique("group") });
    await eventually(() => records.length === 1);
    expect((await everything(bus, topic)).map(text)).toEqual(["by TLS"]);
    await bus.close();
  });

  test.each(MECHANISMS)("a wrong password is said at once, by %s, and not shown", async (sasl_mechanisms) => {
    const error = await refusal({ ...secure, sasl_mechanisms, sasl_password: "wrong battery" });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain("sasl_password");
    expect(error.message).not.toContain("wrong battery");
  });

  test("a certificate of nobody we trust is said at once", async () => {
    const { ssl_ca_location: _, ...untrusting } = secure;
    const error = await refusal({ ...untrusting, sasl_mechanisms: "PLAIN" });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain("ssl_ca_location");
  });

  test("a topic or group without rights is not authorized, which is not unknown", async () => {
    const [anna, bert] = await Promise.all(
      [USER, GUEST].map((sasl_username) =>
        openKafkaBus(kafka.brokers, {
          ...secure,
          sasl_mechanisms: "PLAIN",
          sasl_username,
          METROBUS_CONNECT_TIMEOUT: "20s",
        }),
      ),
    );
    const [hidden, visible] = [unique("hidden"), unique("visible")];
    await anna!.create([
      { topic: hidden, partitions: 1 },
      { topic: visible, partitions: 1 },
    ]);
    const allow = ["--add", "--allow-principal", `User:${GUEST}`, "--operation", "Describe", "--topic", visible];
    await kafka.tool("kafka-acls.sh", allow);
    const group = unique("group");
    const refused = await Promise.allSettled([
      bert!.send([message(hidden, "k", "1")]),
      bert!.send([message(visible, "k", "1")]),
      bert!.consume({ topic: visible, group, start: "earliest" }, async () => undefined),
    ]);
    for (const outcome of refused) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { message: expect.stringContaining("not authorized") },
      });
      expect((outcome as PromiseRejectedResult).reason).not.toBeInstanceOf(UnknownTopic);
    }
    await anna!.send([message(visible, "k", "2")]);
    expect((await everything(anna!, visible)).map(text)).toEqual(["2"]);
    await Promise.all([anna!.close(), bert!.close()]);
  });

  test("who has to show a certificate is let in with it, and told so without it", async () => {
    const strict = await startKafka({
      protocol: "SSL",
      files,
      env: { ...tls, KAFKA_LISTENER_NAME_OUTER_SSL_CLIENT_AUTH: "required" },
    });
    const trusting = { security_protocol: "SSL", ssl_ca_location: join(folder, "ca.crt") };
    const nameless = await openKafkaBus(strict.brokers, { ...trusting, METROBUS_CONNECT_TIMEOUT: "5s" }).catch(
      (error: unknown) => error as Error,
    );
    const bus = await openKafkaBus(strict.brokers, {
      ...trusting,
      ssl_certificate_location: join(folder, "client.crt"),
      ssl_key_location: join(folder, "client.key"),
    });
    const topic = unique("topic");
    await bus.create([{ topic, partitions: 1 }]);
    await bus.send([message(topic, "k", "by certificate")]);
    expect((await everything(bus, topic)).map(text)).toEqual(["by certificate"]);
    await bus.close();
    await strict.stop();
    expect(nameless).toBeInstanceOf(Error);
    expect((nameless as Error).message).toContain("ssl_certificate_location");
  });

  test("who comes without TLS is told that security_protocol may be wrong", async () => {
    const error = await refusal({ METROBUS_CONNECT_TIMEOUT: "2s" });
    expect(error.message).toContain("security_protocol=PLAINTEXT");
  });

  test("who comes with TLS to a port without is told so", async () => {
    const plain = await startKafka();
    const error = await openKafkaBus(plain.brokers, {
      security_protocol: "SSL",
      METROBUS_CONNECT_TIMEOUT: "2s",
    }).catch((thrown: unknown) => thrown as Error);
    await plain.stop();
    expect((error as Error).message).toContain("security_protocol");
  });
});

function makeCertificates(cwd: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd, stdio: "pipe" });
  const subject = (name: string) => ["-nodes", "-subj", `/CN=${name}`];
  openssl("req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-keyout", "ca.key", "-out", "ca.crt", ...subject("ca"));
  writeFileSync(join(cwd, "names"), "subjectAltName=DNS:localhost,IP:127.0.0.1");
  const authority = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
  for (const name of ["broker", "client"]) {
    openssl("req", "-newkey", "rsa:2048", "-keyout", `${name}.key`, "-out", `${name}.csr`, ...subject(name));
    const signed = ["-days", "2", "-extfile", "names", "-out", `${name}.crt`];
    openssl("x509", "-req", "-in", `${name}.csr`, ...authority, ...signed);
  }
}
