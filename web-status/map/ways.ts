import {
  quantile,
  type Buckets,
  type Count,
  type Did,
  type Lately,
  type Recent,
  type Snapshot,
  type StopSnapshot,
} from "metrobus";
import { sentTo } from "../sources/topics.ts";
import { travelOrder } from "../travel-order.ts";
import type { MapWay } from "./answer.ts";
import { doneWith, lately } from "./done.ts";

/** So many ways of a stop are shown that nobody has taken lately: those that were taken most. */
const OLD_AT_MOST = 3;

/** The ways that messages took from stop to stop, as the stop where they began counts them, or else the one where they ended. */
export function ways(snapshot: Snapshot, recent: Recent): MapWay[] {
  const taken = snapshot.stops.flatMap((stop) => waysFrom(stop, recent));
  const known = new Map(taken.map((way) => [keyOf(way.from, way.to), way]));
  for (const [to, { from }] of recent.quarter.stops) {
    const newest = new Map(lately(recent, to)?.from.map(({ stop, waited }) => [stop, waited]));
    for (const { stop, waited } of from) {
      if (stop === "" || stop === "*") continue;
      const way = known.get(keyOf(stop, to)) ?? untold(stop, to);
      known.set(keyOf(stop, to), {
        ...way,
        recent: way.recent || size(waited),
        p95Ms: quantile(newest.get(stop) ?? waited, 0.95),
        old: false,
      });
    }
  }
  return [...known.values()];
}

const keyOf = (from: string, to: string): string => JSON.stringify([from, to]);

function waysFrom(stop: StopSnapshot, recent: Recent): MapWay[] {
  const newest = lately(recent, stop.stop)?.counts;
  const done = doneWith(newest);
  const newestTo = byStop(newest);
  const recentTo = byStop(recent.quarter.stops.get(stop.stop)?.counts);
  const all = sentTo(stop.counts);
  const [now, old] = [
    all.filter(({ detail, rate }) => rate > 0 || recentTo.has(detail)),
    all.filter(({ detail, rate }) => rate === 0 && !recentTo.has(detail)),
  ];
  return [...now, ...old.slice(0, OLD_AT_MOST)].map(({ detail, rate }) => {
    const count = recentTo.get(detail) ?? 0;
    const share = done > 0 ? (newestTo.get(detail) ?? 0) / done : null;
    return { from: stop.stop, to: detail, rate, recent: count, share, p95Ms: null, old: count === 0 && rate === 0 };
  });
}

const byStop = (counts?: readonly Count[]): Map<string, number> =>
  new Map(sentTo(counts).map(({ detail, count }) => [detail, count]));

/** Of a stop that does not tell where it sends its messages, such as one in Python. */
const untold = (from: string, to: string): MapWay => ({
  from,
  to,
  rate: null,
  recent: 0,
  share: null,
  p95Ms: null,
  old: false,
});

/**
 * The stops where messages board, and how many a second do now, by what part of all came from no other stop lately: those
 * where some did, and those that nobody is known to forward to.
 */
export function boardings(
  stops: readonly string[],
  found: readonly MapWay[],
  snapshot: Snapshot,
  recent: Lately,
): Map<string, number> {
  const reached = new Set(found.map(({ to }) => to));
  const rates = new Map(snapshot.stops.map(({ stop, rate }) => [stop, rate]));
  const parts = stops.map((stop) => [stop, partBoarded(recent.stops.get(stop))] as const);
  const entrances = parts.filter(([stop, part]) => part > 0 || !reached.has(stop));
  return new Map(entrances.map(([stop, part]) => [stop, (rates.get(stop) ?? 0) * part]));
}

function partBoarded({ from }: Pick<Did, "from"> = { from: [] }): number {
  const all = from.reduce((sum, { waited }) => sum + size(waited), 0);
  const boarded = from.find(({ stop }) => stop === "")?.waited ?? {};
  return all > 0 ? size(boarded) / all : 0;
}

const size = (buckets: Buckets): number => Object.values(buckets).reduce((sum, count) => sum + count, 0);

/** Comes before all: no stop is called that. */
const ENTRANCE = "\u0000";

/** In the order in which messages visit them; a circle begins at an entrance. */
export function inTravelOrder(
  ids: Iterable<string>,
  found: readonly Pick<MapWay, "from" | "to">[],
  isEntrance: (id: string) => boolean,
): string[] {
  const next = new Map([...ids].map((id) => [id, new Set<string>()]));
  for (const { from, to } of found) next.get(from)!.add(to);
  const entrance = new Set([...next.keys()].filter(isEntrance));
  return travelOrder(next.set(ENTRANCE, entrance)).filter((id) => id !== ENTRANCE);
}
