import type { ActionReport, LetterFilter, LetterRun, ReplayChange } from "./dead-letters.ts";

/**
 * Where bulk runs over the letters of one dead-letter topic are kept: what somebody wants to be done with many dead letters, how far it has come, and which process
 * works on it. What is done with each letter stands in the bus: a store that loses a run loses no letter, and nobody goes on with it.
 */

/** What is to be done with all letters that fit. */
export interface BulkRequest {
  readonly action: "replay" | "discard";
  readonly filter: LetterFilter;
  /** Of a replay: to where, if not to where each letter failed, and on to which stops, if not to those of its route. */
  readonly change: Pick<ReplayChange, "from" | "to" | "route">;
  /** Letters a second, at most; 0: as fast as it goes. */
  readonly rate: number;
  readonly by: string;
  /** A discard has a reason; of a replay it may be "". */
  readonly why: string;
  /** How many letters fitted as it was asked for; null: nobody counted. */
  readonly total: number | null;
}

/**
 * "stopping": somebody has asked for that; what is asked for of letters is waited for. "failed": it can't be carried out, and
 * `error` says why.
 */
export type RunState = "running" | "stopping" | "stopped" | "done" | "failed";

/** A run before anybody has worked on it. */
export interface NewRun extends BulkRequest, LetterRun {}

export interface RunProgress {
  readonly report: ActionReport;
  /** Why it failed, or what keeps it from going on for now; "": nothing. */
  readonly error: string;
}

export interface BulkRun extends NewRun, RunProgress {
  /** When it was added, epoch ms by the store's clock. */
  readonly at: number;
  readonly state: RunState;
  /** The process that works on it; "": nobody does now. */
  readonly worker: string;
}

/** Says who works on a run: each claim has a token of its own. */
export interface RunClaim {
  readonly token: string;
  /** Names the process. */
  readonly worker: string;
}

/** All calls are atomic, and resolve or throw Unavailable within a few seconds; times are the store's own. */
export interface RunStore {
  add(run: NewRun): Promise<BulkRun>;
  /** The newest `RUNS_KEPT`, newest first. */
  list(): Promise<readonly BulkRun[]>;
  /** null: there is none, or no longer. */
  get(id: string): Promise<BulkRun | null>;
  /** Asks that no more letters be asked for; a run that has ended stays as it is. */
  stop(id: string): Promise<void>;
  /** The oldest run that has not ended and that nobody works on: it is the token's for `LEASE_MS`. null: there is none. */
  claim(claim: RunClaim): Promise<BulkRun | null>;
  /** Tells how far it is, and that it is still worked on: it is the token's for `LEASE_MS` more. null: it is no longer. */
  renew(id: string, token: string, progress: RunProgress): Promise<RunState | null>;
  /** Gives it back, for others to go on at once; nothing, where it is no longer the token's. */
  release(id: string, token: string, progress: RunProgress): Promise<void>;
  /** It has ended; nothing, where it is no longer the token's. */
  finish(id: string, token: string, state: "stopped" | "done" | "failed", progress: RunProgress): Promise<void>;
  close(): Promise<void>;
}

export const LEASE_MS = 10_000;
/** Runs that have ended are kept so long, and so many of all; one that has not is never forgotten. */
export const RUN_KEPT_MS = 30 * 24 * 3_600_000;
export const RUNS_KEPT = 100;

export const NOTHING_YET: RunProgress = {
  report: { asked: 0, done: 0, already: 0, failed: 0, failures: [] },
  error: "",
};

export const hasEnded = ({ state }: Pick<BulkRun, "state">): boolean => state !== "running" && state !== "stopping";
