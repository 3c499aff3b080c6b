import type { Did, Instance, Lately, OutcomeKind, Recent, Snapshot, StopSnapshot } from "metrobus";
import type { StopLag } from "../sources/lag.ts";
import type { End, MapStop, Topology } from "./answer.ts";
import { doneWith, lately, many } from "./done.ts";
import { stopState, type Facts } from "./stop-state.ts";
import { boardings, inTravelOrder, ways } from "./ways.ts";

export type Lags = ReadonlyMap<string, StopLag>;

/**
 * The route map as traffic draws it: every stop that has counted something, that a process has or had, that is paused or that
 * messages wait for or are sent to, and every way that messages have taken. `told` null: what was done of late can't be read.
 */
export function topology(snapshot: Snapshot, told: Recent | null, lag: Lags): Topology {
  const { at, pauses } = snapshot;
  const nothing: Lately = { since: at, stops: new Map() };
  const recent = told ?? { quarter: nothing, minute: nothing };
  const found = ways(snapshot, recent);
  const known = everyStop(snapshot, lag, found);
  const boards = boardings([...known.keys()], found, snapshot, recent.quarter);
  const names = inTravelOrder(known.keys(), found, (stop) => boards.has(stop));
  const sent = Map.groupBy(found, ({ to }) => to);
  const factsOf = (stop: string): Facts => ({
    ...known.get(stop)!,
    now: at,
    stop,
    recent: recent.quarter.stops.get(stop),
    lag: lag.get(stop),
    pause: pauses.get(stop),
    vanished: snapshot.vanished.filter(({ stops }) => stops.some((each) => each.stop === stop)),
    sentNow: (sent.get(stop) ?? []).reduce((sum, { rate }) => sum + (rate ?? 0), 0),
    sentLately: (sent.get(stop) ?? []).reduce((sum, { recent }) => sum + recent, 0),
  });
  return {
    at,
    since: recent.quarter.since,
    stops: names.map((stop) => ({ ...mapStop(factsOf(stop), lately(recent, stop)), boards: boards.get(stop) ?? null })),
    ways: found,
  };
}

function mapStop(facts: Facts, lately: Did | undefined): Omit<MapStop, "boards"> {
  const { stop, counts, recent, lag, processed, instances } = facts;
  const end = (kind: OutcomeKind, of: number): End => {
    const rates = (counts?.counts ?? []).map(({ outcome, rate }) => (outcome === kind ? rate : 0));
    return {
      rate: rates.reduce((total, rate) => total + rate, 0),
      recent: many(recent?.counts, kind),
      share: of > 0 ? many(lately?.counts, kind) / of : 0,
    };
  };
  return {
    stop,
    ...stopState(facts),
    rate: counts?.rate ?? 0,
    processed,
    recent: doneWith(recent?.counts),
    waiting: lag?.messages ?? null,
    instances: instances.length,
    dropped: end("dropped", doneWith(lately?.counts)),
    dead: end("dead", doneWith(lately?.counts)),
    later: end("later", many(lately?.counts)),
  };
}

interface Known {
  counts: StopSnapshot | undefined;
  processed: number;
  instances: Instance[];
}

function everyStop({ stops, counter, instances, vanished, pauses }: Snapshot, lag: Lags, found: Topology["ways"]) {
  const known = new Map<string, Known>();
  const of = (stop: string): Known => {
    if (!known.has(stop)) known.set(stop, { counts: undefined, processed: 0, instances: [] });
    return known.get(stop)!;
  };
  for (const counts of stops) Object.assign(of(counts.stop), { counts, processed: counts.processed });
  for (const [stop, processed] of Object.entries(counter)) of(stop).processed = Math.max(of(stop).processed, processed);
  for (const instance of instances) for (const { stop } of instance.stops) of(stop).instances.push(instance);
  for (const { stop } of vanished.flatMap((each) => each.stops)) of(stop);
  for (const stop of pauses.keys()) of(stop);
  for (const [stop, { messages }] of lag) if (messages > 0) of(stop);
  for (const { from, to } of found) void [of(from), of(to)];
  return known;
}
