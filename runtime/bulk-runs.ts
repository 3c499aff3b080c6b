import type { MetroBus } from "./connect.ts";
import { bulkRunner } from "./dead-letters/bulk-runner.ts";
import { letterMatcher } from "./dead-letters/filter.ts";
import { deadLetters, type DeadLetters } from "./dead-letters.ts";
import { ConfigError } from "./errors.ts";
import { checkRoute, checkTopic } from "./route.ts";
import type { BulkRequest, BulkRun, RunProgress, RunState, RunStore } from "./run-store.ts";
import { whoAsks } from "./who-asks.ts";

export type { BulkRequest, BulkRun, RunProgress, RunState, RunStore };

/** What has to be said of a run; see `BulkRequest` for the rest, which is: as it came, as fast as it goes, this user and host, no reason, nobody counted. */
export type BulkStart = Pick<BulkRequest, "action" | "filter"> & Partial<BulkRequest>;

/** Replays and discards of many letters that outlive the process that works on them: another one goes on. */
export interface BulkRuns {
  /** Returns at once; the letters are those that are there now and fit. Throws ConfigError, RouteError, UnknownTopic, Unavailable. */
  start(request: BulkStart): Promise<BulkRun>;
  /** The newest 100, newest first; those that have ended are kept for 30 days. Throws Unavailable. */
  list(): Promise<readonly BulkRun[]>;
  /** null: there is none. Throws Unavailable. */
  get(id: string): Promise<BulkRun | null>;
  /** No more letters are asked for, about a second later. A run that has ended stays as it is; null: there is none. Throws Unavailable. */
  stop(id: string): Promise<BulkRun | null>;
  /**
   * Works on runs until it is disposed of: also on those of processes that have died, ten seconds later, and of those that have ended,
   * at once. While it lasts it is `DeadLetters.work` too.
   */
  work(): AsyncDisposable;
}

/**
 * @example
 * await using bus = await connect();
 * const runs = bulkRuns(bus);
 * await using working = runs.work();
 * const { id } = await runs.start({ action: "replay", filter: { reason: "ETIMEDOUT" }, rate: 50 });
 * console.log((await runs.get(id))?.report);
 */
export function bulkRuns(metro: MetroBus, letters: DeadLetters = deadLetters(metro)): BulkRuns {
  const { runs: store, config, log } = metro;
  return {
    async start({ change = {}, rate = 0, by = whoAsks(), why = "", total = null, ...what }) {
      const request: BulkRequest = { ...what, change, rate, by, why, total };
      check(request, metro);
      return await store.add({ ...request, ...(await letters.begin()) });
    },
    list: () => store.list(),
    get: (id) => store.get(id),
    async stop(id) {
      await store.stop(id);
      return await store.get(id);
    },
    work: () => bulkRunner({ letters, store, shutdownTimeoutMs: config.shutdownTimeoutMs, log }),
  };
}

/** More would make the list of runs slow for everybody. */
const MOST_IDS = 1_000;

function check({ action, filter, change: { from, to, route }, rate, why }: BulkRequest, { config }: MetroBus): void {
  letterMatcher(filter);
  const faults: string[] = [];
  if ((filter.ids?.length ?? 0) > MOST_IDS)
    faults.push(
      `a run of ${filter.ids!.length} named letters is too long a list: name 1,000 at most, or give a filter`,
    );
  if (!Number.isFinite(rate) || rate < 0)
    faults.push(`${rate} letters a second is no rate: give a number above 0, or 0 for as fast as it goes`);
  if (action === "discard" && !why.trim()) faults.push("letters are discarded for a reason: say which");
  if (action === "discard" && (from ?? to ?? route) !== undefined)
    faults.push("letters that are discarded go nowhere: leave from, to and route out");
  if (from !== undefined && to !== undefined)
    faults.push("a replay goes from a stop of its route or to a topic, not both: give one of them");
  if (faults.length > 0) throw new ConfigError(faults);
  if ((from ?? to) !== undefined) checkTopic((from ?? to)!, config);
  if (route !== undefined) checkRoute(route, 0, config);
}
