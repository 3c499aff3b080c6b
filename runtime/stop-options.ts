import type { StandardSchemaV1 } from "@standard-schema/spec";
import { inspect } from "node:util";
import type { Delivery } from "./bus.ts";
import type { MetroBus } from "./connect.ts";
import { isDuration, LONGEST_MS, milliseconds } from "./duration.ts";
import { ConfigError } from "./errors.ts";
import type { Middleware } from "./middleware.ts";
import { isTopic } from "./route.ts";

export interface StopOptions<In> {
  /** "raw": the whole value is the payload, and a message has no route yet (a busdriver's input). Default: routed messages. */
  readonly input?: "raw";
  /** Any Standard Schema validator (zod, valibot, arktype): its output is the callback's input; what does not pass is a dead letter. */
  readonly schema?: StandardSchemaV1<unknown, In>;
  /** Default: METROBUS_DELIVERY ("at-least-once"). See docs/guarantees.md. */
  readonly delivery?: Delivery;
  /** Callbacks of one partition running at once. Default: METROBUS_CONCURRENCY (1). Above 1, order is kept per key. */
  readonly concurrency?: number;
  /** How a message that fails is tried again. */
  readonly retries?: Retries;
  /** Whether trying again can help. Default: yes, but for errors of metrobus that say no. What can't be helped never opens the breaker. */
  readonly isRetryable?: (error: Error) => boolean;
  /**
   * What happens when nearly every message fails although trying again could help: messages are held, and one is tried
   * now and then, after `baseMs` (1,000), doubled with each failure up to `capMs` (30,000). false: they become dead letters.
   */
  readonly breaker?: false | { readonly baseMs?: number; readonly capMs?: number };
  /**
   * The callback's work is done once for each message: what came of it is kept in Redis (`ttl`, "24h"), and a message that
   * comes again gets that without the callback. Where work was begun and nobody knows its end (the process died) it is
   * done again, or with `onExpired: "dead"` the message is a dead letter. What this can't promise: docs/guarantees.md.
   */
  readonly once?: true | Once;
  /** Milliseconds that an attempt may take, at most 2,147,483,647 (24 days). Default: METROBUS_TIME_LIMIT (30 s). */
  readonly timeLimit?: number;
  /** Awaited by `start()` before anything else: load here what the callback needs. What it throws, `start()` throws. */
  readonly setup?: () => Promise<unknown>;
  /** One's own middleware, outermost first; runs in each attempt, after the schema. */
  readonly use?: readonly Middleware[];
  /** The consumer group. Default: `<CONSUMER_GROUP>.<topic>`. */
  readonly group?: string;
  /** Topics to create with its own where METROBUS_CREATE_TOPICS is on. */
  readonly creates?: readonly string[];
  /** The connection to use. Default: the one that all of the process shares. It is left open. */
  readonly bus?: MetroBus;
}

export interface Retries {
  /** Tries in place (default METROBUS_ATTEMPTS, 3), and the backoff between them: full jitter below `baseMs` (100) × 2^n, at most `capMs` (10,000). */
  readonly attempts?: number;
  readonly baseMs?: number;
  readonly capMs?: number;
  /**
   * What fails after them is put off, so that those behind it don't wait: `["10s", "1m", "10m"]`, shortest first, at most
   * ten from 100ms to 24 days. Each time it is tried in place again, as often. Default: it is a dead letter at once.
   */
  readonly later?: readonly string[];
  /** It does not come again later than this after it was put off first: "1h". Default: as the sum of `later` has it. */
  readonly within?: string;
}

export interface Once {
  readonly ttl?: string;
  readonly onExpired?: "again" | "dead";
}

export function onceKeeps(once: true | Once): { ttlMs: number; onExpired: "again" | "dead" } {
  const { ttl = "24h", onExpired = "again" } = once === true ? {} : once;
  return { ttlMs: milliseconds(ttl), onExpired };
}

/** How long a message is put off, first, second and so on, ms. */
export function laterDelays({ retries }: Pick<StopOptions<never>, "retries">): readonly number[] {
  return (retries?.later ?? []).map(milliseconds);
}

export function laterWithin({ retries }: Pick<StopOptions<never>, "retries">): number {
  return retries?.within === undefined ? Number.POSITIVE_INFINITY : milliseconds(retries.within);
}

const MOST_DELAYS = 10;
/** For less there is the backoff. */
const LEAST_DELAY_MS = 100;

function isLater(value: unknown): boolean {
  if (!Array.isArray(value) || value.length > MOST_DELAYS || !value.every(isDuration)) return false;
  const delays = value.map(milliseconds);
  return delays.every((ms, at) => ms >= LEAST_DELAY_MS && ms <= LONGEST_MS && ms > (delays[at - 1] ?? 0));
}

type Check = readonly [fits: (value: unknown) => boolean, words: string];

const isNumber = (value: unknown, least: number): value is number =>
  Number(value) >= least && typeof value === "number";
const isFunction = (value: unknown) => typeof value === "function";

const COUNT: Check = [(value) => isNumber(value, 1) && Number.isSafeInteger(value), "a whole number, at least 1"];
const BACKOFF: Check = [
  (value) => isNumber(value, 0) && value <= LONGEST_MS,
  `a number of milliseconds, 0 to ${LONGEST_MS}`,
];
const FUNCTION: Check = [isFunction, "a function"];
const OBJECT: Check = [(value) => typeof value === "object" && value !== null, "an object"];

const CHECKS: Readonly<Record<string, Check>> = {
  topic: [isTopic, '1 to 249 letters, digits, ".", "_" or "-"'],
  callback: FUNCTION,
  input: [(value) => value === "raw", '"raw", or left out for routed messages'],
  schema: [
    (value) => value !== null && "~standard" in Object(value),
    "a Standard Schema validator (zod, valibot, arktype)",
  ],
  delivery: [(value) => value === "at-least-once" || value === "exactly-once", '"at-least-once" or "exactly-once"'],
  concurrency: COUNT,
  retries: OBJECT,
  "retries.attempts": COUNT,
  "retries.baseMs": BACKOFF,
  "retries.capMs": BACKOFF,
  "retries.later": [
    isLater,
    'at most ten durations from 100ms to 24 days, shortest first, such as ["10s", "1m", "10m"]',
  ],
  "retries.within": [isDuration, 'a duration, such as "1h"'],
  isRetryable: FUNCTION,
  breaker: [(value) => value === false || OBJECT[0](value), "false, or an object with baseMs and capMs"],
  "breaker.baseMs": BACKOFF,
  "breaker.capMs": BACKOFF,
  once: [(value) => value === true || OBJECT[0](value), "true, or an object with ttl and onExpired"],
  "once.ttl": [
    (value) => isDuration(value) && milliseconds(value) >= 1_000,
    'a duration, at least a second, such as "24h"',
  ],
  "once.onExpired": [(value) => value === "again" || value === "dead", '"again" or "dead"'],
  timeLimit: [(value) => isNumber(value, 1) && value <= LONGEST_MS, `a number of milliseconds, 1 to ${LONGEST_MS}`],
  setup: FUNCTION,
  use: [(value) => Array.isArray(value) && value.every(isFunction), "an array of middleware, which are functions"],
  group: [(value) => typeof value === "string" && value !== "", "a consumer group's name"],
  creates: [(value) => Array.isArray(value) && value.every(isTopic), "an array of topic names"],
  bus: [(value) => "bus" in Object(value), "what connect() resolves to: await it"],
};

/** Throws ConfigError with all that is wrong: for numbers, which types can't check, and for callers without types. */
export function checkStop(topic: unknown, callback: unknown, options: object): void {
  const { retries, breaker, once } = options as StopOptions<never>;
  const nested = Object.entries({ retries, breaker, once }).flatMap(([option, values]) =>
    Object.entries(values ?? {}).map(([name, value]) => [`${option}.${name}`, value] as const),
  );
  const chosen = [...Object.entries(options), ...nested].filter(([, value]) => value !== undefined);
  const faults = [["topic", topic] as const, ["callback", callback] as const, ...chosen].flatMap(faultOf);
  if (faults.length > 0) throw new ConfigError(faults.map((fault) => `MetroStop ${shown(topic)}: ${fault}`));
}

function faultOf([name, value]: readonly [string, unknown]): readonly string[] {
  const check = CHECKS[name];
  if (!check) return [`there is no option ${name}: correct its name, or remove it`];
  const [fits, words] = check;
  return fits(value) ? [] : [`${name} must be ${words}, not ${shown(value)}`];
}

const shown = (value: unknown): string => inspect(value, { depth: 0, maxStringLength: 40, compact: true });
