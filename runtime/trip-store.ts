import type { OutcomeKind } from "./stats-store.ts";
import type { TripShare } from "./trip-share.ts";

/**
 * Where trips are kept, for a while: the visits of one message to stop after stop. A share of all messages is recorded
 * (`trip-share.ts`), and those that fail; what is here is for people to look at, and no count is made of it.
 */

/** One message at one stop, once what came of it is durable. */
export interface TripVisit {
  stop: string;
  /** "": it came from no stop. */
  from: string;
  /** The process that had it. */
  instance: string;
  /** "": told by a stop further on, which does not know them. */
  partition: string;
  offset: string;
  /** When it came to the stop, epoch ms: its record's timestamp. */
  at: number;
  /** From there until its callback began, and until its outcome was known; told by another stop, whole ms, and sending counts as waiting. */
  waitedMs: number;
  workedMs: number;
  /** The last one's number, 1, 2, 3 … */
  attempt: number;
  outcome: OutcomeKind;
  /** The next stop, or the reason. */
  detail: string;
  /** Of an error. */
  error?: { name: string; message: string };
  /** What came to the stop, as JSON text, where payloads are to be kept. */
  payload?: string;
}

/** The message that makes a trip. */
export interface Traveller {
  id: string;
  /** Its key, as far as it is text; null: it has none. */
  key: string | null;
  /** When it first met metrobus, epoch ms. */
  boarded: number;
}

/** What is recorded of one message at a time. */
export interface TripNote extends Traveller {
  /** Oldest first. */
  visits: readonly TripVisit[];
  /** The header with which it came to the last of them, as JSON text. */
  header?: string;
}

export interface Trip extends Traveller {
  /** As it was at the last stop that told of it; "": none has. */
  header: string;
  /** In the order in which it came to the stops. */
  visits: readonly TripVisit[];
}

/** A visit that failed. */
export interface FailedVisit extends Traveller, TripVisit {}

export interface Failures {
  /** Newest first. */
  visits: readonly FailedVisit[];
  /** How many besides were not recorded, since there were too many at once. */
  notKept: number;
}

/** What a process has noted since it recorded last. */
export interface TripReport {
  notes: readonly TripNote[];
  /** How many messages have boarded at its stops, and over what time. */
  boarded: number;
  coversMs: number;
  /** Failed visits that are too many to be noted, by stop. */
  notKept: Readonly<Record<string, number>>;
}

/** Which messages are to be recorded, and what that follows from. */
export interface TripOrders {
  /** Oldest first. */
  shares: readonly TripShare[];
  /** Messages that board a second, of all processes, over the last full seconds. */
  boardedPerSecond: number;
}

/** Every call resolves or throws within a few seconds. */
export interface TripStore {
  /** Adds visits; the same one again changes nothing. Throws Unavailable. */
  record(report: TripReport): Promise<TripOrders>;
  /** Adds a share, unless somebody else has added one after `last` meanwhile (undefined: there was none). Throws Unavailable. */
  announce(share: TripShare, last: TripShare | undefined): Promise<void>;
  /** The trip of one message: at most `VISITS_KEPT` visits; null: none is kept. Throws Unavailable. */
  trip(id: string): Promise<Trip | null>;
  /** Ids of the newest trips, newest first; with a key those of messages that have it. Throws Unavailable. */
  newest(limit: number, key?: string): Promise<readonly string[]>;
  /** Ids of the newest trips that failed somewhere, newest first. Throws Unavailable. */
  failed(limit: number): Promise<readonly string[]>;
  /** What failed at a stop lately: at most `FAILURES_KEPT`, for `FAILURE_KEPT_MS`. Throws Unavailable. */
  failures(stop: string): Promise<Failures>;
  close(): Promise<void>;
}

/** What trips may cost. */
export interface TripBounds {
  /** Of about so many messages a second they are recorded, besides those that fail. */
  readonly perSecond: number;
  /** A trip is forgotten so long after its last visit. */
  readonly keepMs: number;
  /** So many trips are kept; of more the oldest go. */
  readonly most: number;
}

/** So many besides that failed somewhere. */
export const FAILED_KEPT = 10_000;
/** Of one trip. */
export const VISITS_KEPT = 200;
/** Of one key. */
export const TRIPS_OF_KEY = 100;
/** Of one stop. */
export const FAILURES_KEPT = 50;
export const FAILURE_KEPT_MS = 24 * 3_600_000;
/** Of the shares that were announced. */
export const SHARES_KEPT = 20;
/** The full seconds before now of which the rate of boarding is the mean. */
export const BOARDING_SECONDS = 5;

/** Whether a visit failed: its message became a dead letter, or was put off. */
export const hasFailed = ({ outcome }: Pick<TripVisit, "outcome">): boolean =>
  outcome === "dead" || outcome === "later";

/** What makes a visit the same as another one of its trip. */
export const visitKey = ({ stop, at, attempt }: TripVisit): string => `${at}/${attempt}/${stop}`;

export const inOrder = (a: TripVisit, b: TripVisit): number => a.at - b.at || a.attempt - b.attempt;
