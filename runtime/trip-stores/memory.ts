import {
  FAILED_KEPT,
  hasFailed,
  TRIP_KEPT_MS,
  TRIPS_KEPT,
  TRIPS_OF_KEY,
  VISITS_KEPT,
  type TripStore,
  type TripVisit,
} from "../trip-store.ts";

interface Trip {
  readonly visits: TripVisit[];
  failed: boolean;
  keptUntil: number;
}

/** Trips that only this process knows, gone with it. */
export function memoryTrips(now: () => number = Date.now): TripStore {
  /** By id, those that began first come first. */
  const trips = new Map<string, Trip>();
  let failed = 0;

  function forget(id: string, trip: Trip): void {
    trips.delete(id);
    if (trip.failed) failed--;
  }

  function add(visit: TripVisit): void {
    const trip = trips.get(visit.id) ?? { visits: [], failed: false, keptUntil: 0 };
    trips.set(visit.id, trip);
    if (trip.visits.length < VISITS_KEPT) trip.visits.push(visit);
    trip.keptUntil = now() + TRIP_KEPT_MS;
    if (hasFailed(visit) && !trip.failed) {
      trip.failed = true;
      failed++;
    }
  }

  /** From the oldest on, what is too old or too much. */
  function trim(): void {
    for (const [id, trip] of trips) {
      const isTooMuch = trip.failed ? failed > FAILED_KEPT : trips.size - failed > TRIPS_KEPT;
      if (isTooMuch || trip.keptUntil <= now()) forget(id, trip);
      else if (failed <= FAILED_KEPT && trips.size - failed <= TRIPS_KEPT) break;
    }
  }

  const kept = () => [...trips].filter(([, { keptUntil }]) => keptUntil > now()).toReversed();
  const idsOf = (found: [string, Trip][], limit: number) => found.slice(0, limit).map(([id]) => id);
  return {
    async record(visits) {
      for (const visit of visits) add(visit);
      trim();
    },
    async trip(id) {
      const trip = trips.get(id);
      return trip && trip.keptUntil > now() ? [...trip.visits] : [];
    },
    newest: async (limit, key) =>
      idsOf(
        kept().filter(([, { visits }]) => key === undefined || visits.some((visit) => visit.key === key)),
        key === undefined ? limit : Math.min(limit, TRIPS_OF_KEY),
      ),
    failed: async (limit) =>
      idsOf(
        kept().filter(([, trip]) => trip.failed),
        limit,
      ),
    close: async () => undefined,
  };
}
