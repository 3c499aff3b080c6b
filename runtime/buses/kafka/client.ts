import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { Kafka, logLevel, type ISocketFactoryArgs, type KafkaConfig, type LogEntry } from "kafkajs";
import type { Logger } from "pino";
import type { Config } from "../../config.ts";
import "./client-repairs.ts";
import "./clock-repair.ts";
import "./coordinator-repair.ts";
// Before what repairs what was decoded.
import "./decoding.ts";
import "./encoding.ts";
import "./fetch-repair.ts";
import "./read-committed.ts";

/** One kafkajs instance with its sockets: an admin's, a producer's or a consumer's, never shared. */
export interface Client {
  readonly kafka: Kafka;
  /** Disconnects; cuts the sockets when that takes longer than a few seconds (kafkajs can wait for ever). Never throws. */
  end(disconnect: () => Promise<void>): Promise<void>;
}

export type NewClient = (requestTimeoutMs?: number) => Client;

const DISCONNECT_MS = 3_000;
const KEEP_ALIVE_MS = 60_000;

/** Makes clients that all go by the same settings. */
export function clientFactory(config: Config, log: Logger): NewClient {
  const bridge = logBridge(log);
  return (requestTimeout = 30_000) => {
    const sockets = new Set<Socket>();
    const kafka = new Kafka({
      ...connection(config),
      requestTimeout,
      socketFactory: (args) => track(openSocket(args), sockets),
      logLevel: log.isLevelEnabled("trace") ? logLevel.DEBUG : logLevel.WARN,
      logCreator: () => bridge,
    });
    return { kafka, end: (disconnect) => end(disconnect, sockets) };
  };
}

function connection({ kafka: { brokers, ssl, sasl } }: Config): KafkaConfig {
  return {
    clientId: "metrobus",
    brokers: [...brokers],
    ssl,
    ...(sasl && { sasl: { ...sasl } as NonNullable<KafkaConfig["sasl"]> }),
    connectionTimeout: 5_000,
    authenticationTimeout: 10_000,
    // Few and short: what goes on for longer is retried by whoever asked, who knows whether it still matters.
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 },
  };
}

/** As kafkajs does it, but requests are not held back until the last one's acknowledgement (Nagle). */
function openSocket({ host, port, ssl, onConnect }: ISocketFactoryArgs): Socket {
  const name = isIP(host) ? {} : { servername: host };
  const options: ConnectionOptions = { host, port, ...name, ...ssl };
  const socket = ssl ? connectTls(options, onConnect) : connect({ host, port }, onConnect);
  return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
}

function track(socket: Socket, sockets: Set<Socket>): Socket {
  sockets.add(socket);
  // kafkajs lets go of a socket over and over while the broker is away, and Node would keep a listener for each time. What
  // is left open is cut at the end.
  socket.unref = () => socket;
  return socket.once("close", () => sockets.delete(socket));
}

async function end(disconnect: () => Promise<void>, sockets: Set<Socket>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, DISCONNECT_MS)));
  await Promise.race([disconnect().catch(() => undefined), late]);
  clearTimeout(timer);
  for (const socket of sockets) socket.destroy();
}

const ORDINARY =
  /rebalanc|coordinator|generation|re-join|not aware of this member|does not host this topic|not the leader|topic creation errors/i;
const SAME_AGAIN_MS = 30_000;

/**
 * kafkajs's log in ours. What belongs to every start, stop and rebalance, and what we are told of besides, it calls errors:
 * that is debug here. The same warning comes at most twice a minute. Only chosen fields are taken over: no payload and no secret ever is.
 */
function logBridge(log: Logger): (entry: LogEntry) => void {
  const lastTime = new Map<string, number>();
  return ({ level, namespace, log: { message, ...fields } }) => {
    const about = { client: namespace, broker: fields["broker"] as unknown, group: fields["groupId"] as unknown };
    const again = Date.now() - (lastTime.get(message) ?? 0) < SAME_AGAIN_MS;
    if (level === logLevel.DEBUG) log.trace(about, message);
    else if (level === logLevel.INFO || again || ORDINARY.test(`${message} ${String(fields["error"])}`)) {
      log.debug({ ...about, error: String(fields["error"] ?? "") }, message);
    } else {
      if (lastTime.size > 100) lastTime.clear();
      lastTime.set(message, Date.now());
      log.warn(
        { ...about, error: fields["error"] === undefined ? undefined : String(fields["error"]) },
        `kafka client: ${message}`,
      );
    }
  };
}
