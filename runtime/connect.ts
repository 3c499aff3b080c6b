import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Bus, LaneState, Outgoing } from "./bus.ts";
import { loadConfig, type Config, type Settings } from "./config.ts";
import { newHeader, advance, writeEnvelope, writePayload } from "./envelope.ts";
import { createLogger, type Logger } from "./logger.ts";
import { openBus, openOnceStore, openRunStore, openStatsStore, openTripStore } from "./open.ts";
import type { OnceStore } from "./once-store.ts";
import { checkRoute, checkTopic, reversed } from "./route.ts";
import type { RunStore } from "./run-store.ts";
import { statsRecorder, type StatsRecorder } from "./stats-recorder.ts";
import type { StatsStore } from "./stats-store.ts";
import { redactor } from "./redact.ts";
import { tripRecorder as newTripRecorder, type TripRecorder } from "./trip-recorder.ts";
import type { TripStore } from "./trip-store.ts";

export interface SendOptions {
  /** Messages with the same key keep their order. Default: none. */
  readonly key?: string | Buffer;
  /** The stops to visit after `topic`, in travel order. Default: none is given, and the message is raw: a busdriver's work. */
  readonly route?: readonly string[];
  readonly headers?: Readonly<Record<string, string | Buffer>>;
}

/** A connection to the bus, and to where its stops' counts go. */
export interface MetroBus extends AsyncDisposable {
  readonly config: Config;
  readonly log: Logger;
  readonly bus: Bus;
  /** Where counts are kept, and what this process counts before it gets there. */
  readonly stats: StatsStore;
  readonly recorder: StatsRecorder;
  /** Where trips are kept, and what this process notes of them; null: METROBUS_TRIPS=off. */
  readonly trips: TripStore;
  readonly tripRecorder: TripRecorder | null;
  /** Where the outcomes of stops with the option `once` are kept. */
  readonly once: OnceStore;
  /** Where bulk runs over dead letters are kept. */
  readonly runs: RunStore;
  /** Puts a message on the bus; resolves when all in-sync replicas have it. Throws UnknownTopic, TooLarge, RouteError, UnusableResult, Unavailable. */
  send(topic: string, payload: unknown, options?: SendOptions): Promise<void>;
  /** Creates the topics that are missing. */
  create(topics: readonly string[]): Promise<void>;
  /** How far the stop of this topic has come, partition by partition. Throws UnknownTopic. */
  state(topic: string): Promise<readonly LaneState[]>;
  /**
   * Writes the last counts, trying until `deadline` (epoch ms; default: 2 s from now), and disconnects. The shared
   * connection closes with the last who asked for it.
   */
  close(deadline?: number): Promise<void>;
}

/** The connection that all stops of a process share. */
let shared: { connection: Promise<MetroBus>; users: number } | undefined;

/**
 * Connects to the bus: without settings the one connection that is shared by all of the process, configured by the
 * environment; with settings (environment names → text) one of its own.
 * @throws ConfigError with every fault of the configuration; Unavailable when there is no broker within METROBUS_CONNECT_TIMEOUT.
 * @example
 * await using bus = await connect();
 * await bus.send("Source", { account_number: 1000003 }, { key: "1000003" });
 */
export async function connect(settings?: Settings): Promise<MetroBus> {
  if (settings) return open(loadConfig(settings));
  shared ??= { connection: open(loadConfig()), users: 0 };
  const mine = shared;
  mine.users++;
  let closed = false;
  const close = async (deadline?: number) => {
    if (closed) return;
    closed = true;
    if (--mine.users > 0) return;
    shared = undefined;
    await (await mine.connection).close(deadline);
  };
  try {
    return { ...(await mine.connection), close, [Symbol.asyncDispose]: () => close() };
  } catch (error) {
    if (shared === mine) shared = undefined;
    throw error;
  }
}

/** Opens only the counts, for whoever shows them. With METROBUS_STATS=memory they are this store's own. Throws ConfigError. */
export async function openStats(settings?: Settings): Promise<StatsStore> {
  const config = loadConfig(settings);
  return openStatsStore(config, createLogger(config));
}

/** The same for trips. */
export async function openTrips(settings?: Settings): Promise<TripStore> {
  const config = loadConfig(settings);
  return openTripStore(config, createLogger(config));
}

async function open(config: Config): Promise<MetroBus> {
  const log = createLogger(config);
  const bus = await openBus(config, log);
  const stats = await openStatsStore(config, log);
  const once = await openOnceStore(config, log);
  const trips = await openTripStore(config, log);
  const runs = await openRunStore(config, log);
  const [host, { pid }] = [hostname(), process];
  const instance = `${host}-${pid}-${randomUUID().slice(0, 8)}`;
  const recorder = statsRecorder(stats, {
    instance,
    process: { host, pid, version: config.version, startedAt: Math.round(Date.now() - process.uptime() * 1_000) },
    log,
  });
  const payload = config.trips === "payload" ? redactor(config.redact) : null;
  const tripRecorder =
    config.trips === "off"
      ? null
      : newTripRecorder(trips, { instance, log, payload, perSecond: config.tripBounds.perSecond });
  const traced = config.tracing ? (await import("./tracing.ts")).inActiveSpan : (out: Outgoing) => out;
  const close = async (deadline?: number) => {
    await Promise.all([recorder.close(deadline), tripRecorder?.close(deadline)]);
    await Promise.all([bus.close(), stats.close(), trips.close(), once.close(), runs.close()]);
  };
  return {
    config,
    log,
    bus,
    stats,
    recorder,
    trips,
    tripRecorder,
    once,
    runs,
    send: async (topic, payload, options = {}) => bus.send([traced(outgoing(config, topic, payload, options))]),
    create: (topics) => bus.create(topics.map((topic) => ({ topic }))),
    state: (topic) => bus.state(groupOf(config, topic), topic),
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

/** The consumer group of a stop. */
export function groupOf(config: Config, topic: string): string {
  return `${config.consumerGroup}.${topic}`;
}

function outgoing(
  config: Config,
  topic: string,
  payload: unknown,
  { key, route, headers = {} }: SendOptions,
): Outgoing {
  const json = writePayload(payload);
  return {
    topic,
    key: key === undefined ? null : Buffer.from(key),
    value: route ? routedValue(config, topic, route, json) : Buffer.from(json),
    headers: Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)] as const),
  };
}

function routedValue(config: Config, topic: string, route: readonly string[], payloadJson: string): Buffer {
  checkTopic(topic, config);
  checkRoute(route, 1, config);
  const stack = reversed([topic, ...route]);
  const header = advance(newHeader(randomUUID(), Date.now(), stack), stack, topic);
  return writeEnvelope(header, { field: config.envelope, rest: {} }, payloadJson);
}
