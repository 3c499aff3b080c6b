import { GenericContainer, Wait } from "testcontainers";
import { docker, freePort } from "./docker.ts";

const PERSISTENT = "--protected-mode no --appendonly yes --appendfsync always".split(" ");
const TLS =
  "--port 0 --tls-port 6379 --tls-cert-file /tls/cert.pem --tls-key-file /tls/key.pem --tls-auth-clients no".split(" ");

export interface RedisServer {
  /** The same after it was started again. */
  readonly url: string;
  readonly container: string;
  stop(): Promise<void>;
  /** Starts it again, with the data it had. */
  start(): Promise<void>;
  /** It takes connections and bytes, and does not answer. */
  hang(): Promise<void>;
  goOn(): Promise<void>;
  remove(): Promise<void>;
}

/** Starts a Redis of its own: for tests that stop it, or with TLS and a password for those that log in. */
export async function startRedis(secured?: { cert: string; key: string; password: string }): Promise<RedisServer> {
  const port = await freePort();
  const container = await new GenericContainer("redis:8")
    .withCommand(["redis-server", ...PERSISTENT, ...(secured ? [...TLS, "--requirepass", secured.password] : [])])
    .withCopyContentToContainer(
      secured
        ? [
            { content: secured.cert, target: "/tls/cert.pem", mode: 0o644 },
            { content: secured.key, target: "/tls/key.pem", mode: 0o644 },
          ]
        : [],
    )
    .withExposedPorts({ container: 6379, host: port })
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .start();
  const id = container.getId();
  return {
    url: `${secured ? `rediss://:${secured.password}@` : "redis://"}127.0.0.1:${port}`,
    container: id,
    stop: async () => void (await docker("stop", id)),
    start: async () => void (await docker("start", id)),
    hang: async () => void (await docker("pause", id)),
    goOn: async () => void (await docker("unpause", id)),
    remove: async () => void (await container.stop()),
  };
}
