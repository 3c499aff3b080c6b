import type { Delivery } from "./bus.ts";

/**
 * Where counts live, so that any process can show them, and what operators want of stops. A process counts in memory and
 * writes a `Flush` a few times a second, and hears what its stops are to do; whoever shows it reads a `Snapshot`.
 */

/** "later": put off, so it comes again, and what becomes of it then counts too. */
export type OutcomeKind = "forwarded" | "dropped" | "arrived" | "dead" | "later";

/** So many messages with one outcome; `detail` is the next topic (forwarded) or the reason (dropped, dead, later), else "": well-formed text. */
export interface Count {
  outcome: OutcomeKind;
  detail: string;
  count: number;
}

/**
 * A mergeable histogram of milliseconds: bucket number → how many. Bucket `b` holds times in [2^(b/4), 2^((b+1)/4)) µs,
 * so a quantile is off by at most 19 %. See `runtime/histogram.ts`.
 */
export type Buckets = Readonly<Record<number, number>>;

/** What a stop did in some time. */
export interface Done {
  counts: readonly Count[];
  /** Time in the callback, retries included. */
  worked: Buckets;
  /** Time from the record's timestamp until the callback began. */
  waited: Buckets;
  /** The same, by the stop that a message came from. */
  from: readonly From[];
}

export interface From {
  /** "": it came from none; "*": all from more than `MAX_FROMS` different ones. */
  stop: string;
  waited: Buckets;
}

/** What one stop of one process did since the last flush: differences, not totals. */
export interface StopFlush extends Done {
  /** The stop's topic. */
  stop: string;
  /** Epoch ms of the last message. */
  lastSeen: number;
  /** Records that retention removed before they were read. */
  gaps: number;
  /** Only when there is news of its breaker: every second while it is open, and when it closes. */
  breaker?: BreakerState;
}

export interface BreakerState {
  /** How often it has opened. */
  openings: number;
  /** Epoch ms; 0: it is closed. In a snapshot the earliest of all processes: one that falls silent is forgotten after `OPEN_KEPT_MS`. */
  openSince: number;
}

/** What a process tells of itself, every two seconds while it has stops. */
export interface Presence {
  host: string;
  pid: number;
  /** What `METROBUS_VERSION` says of it; "": nothing. */
  version: string;
  /** Epoch ms. */
  startedAt: number;
  /** Its stops; none: it ends. */
  stops: readonly StopPresence[];
}

export interface StopPresence {
  stop: string;
  /** The consumer group. */
  group: string;
  delivery: Delivery;
  /** Whether it holds its messages, because somebody wants that. */
  paused: boolean;
  /** What is in its way, in words, as its health has it. */
  problems: readonly string[];
  lanes: readonly LanePresence[];
}

/** A lane that a process has, as it knows it. */
export interface LanePresence {
  lane: string;
  position: number;
  end: number;
  /** When its position moved last, epoch ms; 0: not yet. */
  movedAt: number;
  /** For how long records have been waiting and its position has not moved, ms; 0: nothing waits. */
  standingMs: number;
  /** By how many messages a second what waits has grown over the last half minute; null: it is not known yet. */
  growth: number | null;
}

/** A process as a store knows it. */
export interface Instance extends Presence {
  instance: string;
  /** When it told of itself last, epoch ms by the store's clock. After `PRESENT_MS` it counts as vanished. */
  seenAt: number;
}

/** That somebody wants a stop to hold its messages. */
export interface Pause {
  /** Who. */
  by: string;
  /** Epoch ms. */
  at: number;
}

/** What the processes are to do. */
export interface Orders {
  /** The stops that hold their messages. */
  paused: readonly string[];
}

/** Differences of one process. A store applies each (instance, sequence) once, however often it is written. */
export interface Flush {
  instance: string;
  /** 1, 2, 3 … per instance. */
  sequence: number;
  /** The time over which it was counted: long, when the store was away, and then not the rate of the second it is written in. */
  coversMs: number;
  stops: readonly StopFlush[];
  presence?: Presence;
}

export interface StopSnapshot extends Done {
  stop: string;
  /** Messages that the stop is done with: all outcomes but "later". */
  processed: number;
  forwarded: number;
  dropped: number;
  arrived: number;
  dead: number;
  later: number;
  /** Every (outcome, detail) with its total, largest first. */
  counts: readonly CountNow[];
  /** Messages per second over the last full seconds. */
  rate: number;
  /** Epoch ms; 0: never. */
  lastSeen: number;
  gaps: number;
  breaker: BreakerState;
}

/** A total, and messages per second over the last full seconds. */
export interface CountNow extends Count {
  rate: number;
}

/** How far back a stop's history goes, and how fine it is. */
export const SPANS = {
  "15m": { stepMs: 10_000, steps: 90 },
  "6h": { stepMs: 240_000, steps: 90 },
  "24h": { stepMs: 900_000, steps: 96 },
} as const;
export type Span = keyof typeof SPANS;

/** What a stop did in one step of its history. */
export interface Step extends Done {
  /** When it began, epoch ms by the store's clock. */
  at: number;
}

/** What all stops did of late. */
export interface Recent {
  /** In the last 12 to 16 minutes. */
  quarter: Lately;
  /** In the last 60 to 70 seconds. */
  minute: Lately;
}

/** What a stop did, without what its callback's and all waiting times were. */
export type Did = Pick<Done, "counts" | "from">;

export interface Lately {
  /** Since when, epoch ms by the store's clock. */
  since: number;
  /** Stops that did nothing are left out. */
  stops: ReadonlyMap<string, Did>;
}

export interface Snapshot {
  /** Epoch ms. */
  at: number;
  /** The original's hash: topic → messages processed. */
  counter: Readonly<Record<string, number>>;
  /** Times the page was opened. */
  hits: number;
  /** By stop, in order of name. */
  stops: readonly StopSnapshot[];
  /** The processes that are there, in order of name. */
  instances: readonly Instance[];
  /**
   * Those that have fallen silent in the last `VANISHED_MS` without saying that they end, as processes do that are killed or crash; the newest
   * first, at most `MOST_VANISHED`.
   */
  vanished: readonly Instance[];
  /** By stop. */
  pauses: ReadonlyMap<string, Pause>;
}

/** Every call resolves or throws within a few seconds, also when the server hangs. */
export interface StatsStore {
  /** Adds the differences, at once or not at all; the same (instance, sequence) again changes nothing. Throws Unavailable. */
  write(flush: Flush): Promise<Orders>;
  /** Throws Unavailable. */
  read(): Promise<Snapshot>;
  /** Every step of the span, oldest first, the present one too; a stop that never counted did nothing. Throws Unavailable. */
  history(stop: string, span: Span): Promise<readonly Step[]>;
  /** Throws Unavailable. */
  recent(): Promise<Recent>;
  /** Counts one opening of the page; returns the total. Throws Unavailable. */
  hit(): Promise<number>;
  /** All processes of the stop are to hold its messages; a stop that is paused stays so as it is. Throws Unavailable. */
  pause(stop: string, by: string): Promise<void>;
  /** They are to go on. Throws Unavailable. */
  resume(stop: string): Promise<void>;
  close(): Promise<void>;
}

/** At most this many different (outcome, detail) per stop; what comes later is counted under "other". */
export const MAX_DETAILS = 100;

/** Times are kept apart by so many different stops that messages came from. */
export const MAX_FROMS = 20;

/** A process counts as there for so long after it has told of itself last. */
export const PRESENT_MS = 10_000;

/** One that has fallen silent is remembered for so long. */
export const VANISHED_MS = 900_000;
export const MOST_VANISHED = 100;

/** A breaker counts as open for so long after a process has said so last: it may have died meanwhile. */
export const OPEN_KEPT_MS = 10_000;

/** Characters (UTF-16) of a detail; what is longer is cut off. */
export const MAX_DETAIL_LENGTH = 256;
