import type { OutcomeKind } from "./stats-store.ts";

/**
 * Where trips are kept, for a while: the visits of one message to stop after stop. A share of all messages is recorded
 * (`trip-share.ts`), and those that fail; what is here is for people to look at, and no count is made of it.
 */

/** One message at one stop, once what came of it is durable. */
export interface TripVisit {
  /** The message's. */
  id: string;
  /** Its key, as far as it is text; null: it has none. */
  key: string | null;
  /** When it first met metrobus, epoch ms. */
  boarded: number;
  stop: string;
  /** "": it came from no stop. */
  from: string;
  /** The process that had it. */
  instance: string;
  partition: string;
  offset: string;
  /** When it came to the stop, epoch ms: its record's timestamp. */
  at: number;
  /** From there until its callback began, and until its outcome was known. */
  waitedMs: number;
  workedMs: number;
  /** The last one's number, 1, 2, 3 … */
  attempt: number;
  outcome: OutcomeKind;
  /** The next stop, or the reason. */
  detail: string;
  /** Of an error. */
  error?: { name: string; message: string };
  /** JSON text, where payloads are to be kept. */
  payload?: string;
}

/** Every call resolves or throws within a few seconds. */
export interface TripStore {
  /** Adds visits. The same one again may stand there twice. Throws Unavailable. */
  record(visits: readonly TripVisit[]): Promise<void>;
  /** The visits of one message, in the order in which they were recorded: at most `VISITS_KEPT`. Throws Unavailable. */
  trip(id: string): Promise<readonly TripVisit[]>;
  /** Ids of the newest trips, newest first; with a key those of messages that have it. Throws Unavailable. */
  newest(limit: number, key?: string): Promise<readonly string[]>;
  /** Ids of the newest trips that failed somewhere, newest first. Throws Unavailable. */
  failed(limit: number): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** A trip is forgotten so long after its last visit. */
export const TRIP_KEPT_MS = 3_600_000;
/** So many trips are kept, and so many besides that failed somewhere; of more the oldest go. */
export const TRIPS_KEPT = 100_000;
export const FAILED_KEPT = 10_000;
/** Of one trip. */
export const VISITS_KEPT = 200;
/** Of one key. */
export const TRIPS_OF_KEY = 100;

export const hasFailed = ({ outcome }: TripVisit): boolean => outcome === "dead" || outcome === "later";
