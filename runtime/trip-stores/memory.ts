import type { TripShare } from "../trip-share.ts";
import {
  BOARDING_SECONDS,
  FAILED_KEPT,
  FAILURE_KEPT_MS,
  FAILURES_KEPT,
  hasFailed,
  inOrder,
  SHARES_KEPT,
  TRIPS_OF_KEY,
  visitKey,
  VISITS_KEPT,
  type FailedVisit,
  type Trip,
  type TripBounds,
  type TripNote,
  type TripStore,
  type TripVisit,
} from "../trip-store.ts";

interface Kept extends Omit<Trip, "visits"> {
  readonly visits: Map<string, TripVisit>;
  headerAt: number;
  failed: boolean;
  keptUntil: number;
}

/** Trips that only this process knows, gone with it. */
export function memoryTrips({ keepMs, most }: Omit<TripBounds, "perSecond">, now: () => number = Date.now): TripStore {
  /** By id, those that began first come first. */
  const trips = new Map<string, Kept>();
  let failed = 0;
  const shares: TripShare[] = [];
  /** By second since 1970. */
  const boarded = new Map<number, number>();
  /** By stop, newest first, and until when. */
  const failures = new Map<string, { visits: readonly FailedVisit[]; until: number }>();
  const notKept = new Map<string, { count: number; until: number }>();

  function add({ id, key, boarded, visits, header }: TripNote): void {
    const trip = trips.get(id) ?? {
      id,
      key,
      boarded,
      header: "",
      headerAt: 0,
      visits: new Map<string, TripVisit>(),
      failed: false,
      keptUntil: 0,
    };
    trips.set(id, trip);
    trip.keptUntil = now() + keepMs;
    for (const visit of visits) {
      const isNew = !trip.visits.has(visitKey(visit));
      if (isNew && trip.visits.size < VISITS_KEPT) trip.visits.set(visitKey(visit), visit);
      if (!hasFailed(visit)) continue;
      if (!trip.failed) failed++;
      trip.failed = true;
      if (isNew) addFailure({ id, key, boarded, ...visit });
    }
    const last = visits.at(-1)?.at ?? 0;
    if (header === undefined || last < trip.headerAt) return;
    trip.header = header;
    trip.headerAt = last;
  }

  function addFailure(visit: FailedVisit): void {
    const visits = [visit, ...failuresOf(visit.stop)].slice(0, FAILURES_KEPT);
    failures.set(visit.stop, { visits, until: now() + FAILURE_KEPT_MS });
  }

  function failuresOf(stop: string): readonly FailedVisit[] {
    const { visits, until } = failures.get(stop) ?? { visits: [], until: 0 };
    return until > now() ? visits : [];
  }

  function notKeptOf(stop: string): number {
    const { count, until } = notKept.get(stop) ?? { count: 0, until: 0 };
    return until > now() ? count : 0;
  }

  /** From the oldest on, what is too old or too much. */
  function trim(): void {
    for (const [id, trip] of trips) {
      const isTooMuch = trip.failed ? failed > FAILED_KEPT : trips.size - failed > most;
      if (isTooMuch || trip.keptUntil <= now()) {
        trips.delete(id);
        if (trip.failed) failed--;
      } else if (failed <= FAILED_KEPT && trips.size - failed <= most) break;
    }
  }

  function boardedPerSecond(): number {
    const second = Math.floor(now() / 1_000);
    for (const old of boarded.keys()) if (old < second - BOARDING_SECONDS) boarded.delete(old);
    let sum = 0;
    for (let back = 1; back <= BOARDING_SECONDS; back++) sum += boarded.get(second - back) ?? 0;
    return sum / BOARDING_SECONDS;
  }

  const kept = () => [...trips.values()].filter(({ keptUntil }) => keptUntil > now()).toReversed();
  return {
    async record(report) {
      for (const note of report.notes) add(note);
      trim();
      const second = Math.floor(now() / 1_000);
      const part = Math.min(1, 1_000 / Math.max(1, report.coversMs));
      boarded.set(second, (boarded.get(second) ?? 0) + report.boarded * part);
      for (const [stop, count] of Object.entries(report.notKept))
        notKept.set(stop, { count: notKeptOf(stop) + count, until: now() + FAILURE_KEPT_MS });
      return { shares: [...shares], boardedPerSecond: boardedPerSecond() };
    },
    async announce(share, last) {
      const newest = shares.at(-1);
      if (newest?.from !== last?.from || newest?.halvings !== last?.halvings) return;
      shares.push(share);
      shares.splice(0, shares.length - SHARES_KEPT);
    },
    async trip(id) {
      const trip = trips.get(id);
      if (!trip || trip.keptUntil <= now()) return null;
      const { key, boarded, header } = trip;
      return { id, key, boarded, header, visits: [...trip.visits.values()].toSorted(inOrder) };
    },
    newest: async (limit, key) =>
      kept()
        .filter((trip) => key === undefined || trip.key === key)
        .slice(0, key === undefined ? limit : Math.min(limit, TRIPS_OF_KEY))
        .map(({ id }) => id),
    failed: async (limit) =>
      kept()
        .filter((trip) => trip.failed)
        .slice(0, limit)
        .map(({ id }) => id),
    failures: async (stop) => ({
      visits: failuresOf(stop),
      notKept: notKeptOf(stop),
    }),
    close: async () => undefined,
  };
}
