import { ErrorReply } from "@redis/client";
import { asError, Unavailable } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { Client } from "./client.ts";

export interface RedisOptions {
  /** `redis://` or `rediss://` (TLS), with user, password and database where there are any. */
  url: string;
  /** Certificate authority (PEM) of a `rediss://` server; default: the system's. */
  ca?: string | null;
  log: Pick<Logger, "debug">;
}

/** Asking Redis takes this long at most, connecting included. */
const ANSWER_WITHIN_MS = 2_000;

function newClient({ url, ca }: RedisOptions): Client {
  const tls = ca ? { tls: true as const, ca } : {};
  const client = new Client({
    url,
    // Connected anew by whoever asks next, for ever; nothing waits in a queue meanwhile.
    socket: { ...tls, reconnectStrategy: false, connectTimeout: ANSWER_WITHIN_MS },
    disableOfflineQueue: true,
    // `ask` has a limit of its own for the whole question; one more a command would leave thousands of timers behind.
    commandOptions: { timeout: 0 },
  });
  // Whoever asks is told; a connection lost while nobody asks is nobody's error.
  client.on("error", () => undefined);
  return client;
}

/** One connection to Redis, made when it is needed and made again after it broke or hung. */
export function redisConnection(options: RedisOptions) {
  const where = withoutLogin(options.url);
  let open: { client: Client; ready: Promise<unknown> } | null = null;
  let closed = false;

  function connect() {
    const client = newClient(options);
    const ready = client.connect();
    ready.then(
      () => options.log.debug(`connected to Redis at ${where}`),
      () => undefined,
    );
    return { client, ready };
  }

  /** Throws Unavailable, after 2 s at the latest. */
  async function ask<T>(question: (client: Client) => Promise<T>): Promise<T> {
    if (closed) throw new Unavailable(`the connection to Redis at ${where} has been closed: open another one`);
    if (open?.client.isOpen === false) open = null;
    const { client, ready } = (open ??= connect());
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`no answer within ${ANSWER_WITHIN_MS} ms`)), ANSWER_WITHIN_MS);
    try {
      return await Promise.race([ready.then(() => question(client)), late.promise]);
    } catch (error) {
      if (open?.client === client) open = null;
      client.destroy();
      throw new Unavailable(`Redis at ${where} can't be used (${asError(error).message}): ${remedy(error)}`, error);
    } finally {
      clearTimeout(timer);
    }
  }

  function close(): void {
    closed = true;
    open?.client.destroy();
    open = null;
  }
  return { ask, close };
}

function remedy(error: unknown): string {
  if (!(error instanceof ErrorReply))
    return "start it, correct REDIS_HOST and REDIS_PORT or REDIS_URL, or count in memory with METROBUS_STATS=memory";
  if (/^(NOAUTH|WRONGPASS|NOPERM)|AUTH/.test(error.message)) return "correct the user and password in REDIS_URL";
  return "see what Redis says; where others use the same keys, name another database in REDIS_URL";
}

/** A log-in may be a secret in either part. */
function withoutLogin(url: string): string {
  const parsed = new URL(url);
  parsed.username = "";
  parsed.password = "";
  return parsed.href;
}
