import { z } from "zod";
import {
  merge,
  SPANS,
  Unavailable,
  type Buckets,
  type Instance,
  type StatsStore,
  type Step,
  type TripStore,
} from "metrobus";
import { NotFound, resource, type Resource } from "../resource.ts";
import { quantilesOf } from "../schemas.ts";
import { standingLanes, standingWords } from "../map/standing.ts";
import { sum, type Lag, type LaneLag } from "../sources/lag.ts";
import type { Present } from "../map/present-topology.ts";
import { topicsOf } from "../sources/topics.ts";
import { stopAnswer, type StopAnswer } from "./answer.ts";
import { showStop } from "./show-stop.ts";

const query = z.object({
  stop: z.string().min(1).max(1_024),
  span: z.enum(["15m", "6h", "24h"]).default("15m").catch("15m").describe("How far back the history goes"),
});

export interface StopSources {
  readonly present: () => Promise<Present>;
  readonly stats: StatsStore;
  readonly trips: TripStore;
  readonly lag: Lag;
}

type Span = keyof typeof SPANS;
const FINEST = "15m" satisfies Span;
/** Full steps of the finest history, and the present one. */
const IN_A_MINUTE = 60_000 / SPANS[FINEST].stepMs + 1;

/** One stop: how it is, what waits for it, who works for it, and what it did in the last 15 minutes, 6 or 24 hours. */
export const stop = ({ present, stats, trips, lag }: StopSources): Resource =>
  resource({
    path: "/stops/:stop",
    summary: "One stop, with its history",
    query,
    answer: stopAnswer,
    title: ({ stop: name }) => name,
    show: showStop,
    async read({ stop: name, span }, { seesDetails }) {
      const { snapshot, fault, topology } = await present();
      const onMap = topology.stops.find((each) => each.stop === name);
      // Of ways that were taken long ago the map shows few.
      if (!onMap && !topicsOf(snapshot).includes(name))
        throw new NotFound(`no stop "${name}" has counted anything, and none is there`);
      const historyOver = (of: Span) => stats.history(name, of).catch((): readonly Step[] => []);
      const [history, fine, lanes, failures] = await Promise.all([
        historyOver(span),
        span === FINEST ? null : historyOver(FINEST),
        lag.of(name, snapshot),
        seesDetails ? trips.failures(name).catch(unread) : null,
      ]);
      const newest = (fine ?? history).slice(-IN_A_MINUTE);
      const counts = snapshot.stops.find((each) => each.stop === name);
      const waits = waiting(lanes);
      const withStop = ({ stops }: Instance) => stops.some((each) => each.stop === name);
      return {
        at: snapshot.at,
        stop: name,
        state: onMap?.state ?? "idle",
        why: onMap?.words ?? "",
        fault,
        totals: pick(counts ?? NOTHING),
        rate: counts?.rate ?? 0,
        counts: [...(counts?.counts ?? [])],
        lastSeen: counts?.lastSeen ?? 0,
        gaps: counts?.gaps ?? 0,
        workedMs: quantilesOf(sumBuckets(history.map(({ worked }) => worked))),
        waitedMs: quantilesOf(sumBuckets(history.map(({ waited }) => waited))),
        lastMinute: {
          workedMs: quantilesOf(sumBuckets(newest.map(({ worked }) => worked))),
          waitedMs: quantilesOf(sumBuckets(newest.map(({ waited }) => waited))),
        },
        pause: snapshot.pauses.get(name) ?? null,
        breaker: counts?.breaker ?? { openings: 0, openSince: 0 },
        lag: seesDetails ? waits : { ...waits, lanes: waits.lanes.map((each) => ({ ...each, message: null })) },
        instances: snapshot.instances.filter(withStop).map((each) => instanceOf(each, name)),
        vanished: snapshot.vanished.filter(withStop).map((each) => instanceOf(each, name)),
        span,
        stepMs: SPANS[span].stepMs,
        history: history.map(stepOf),
        failures: failures && "visits" in failures ? { ...failures, visits: [...failures.visits] } : null,
        failuresFault: failures && "fault" in failures ? failures.fault : null,
      } satisfies StopAnswer;
    },
  });

function unread(error: unknown): { readonly fault: string } {
  if (error instanceof Unavailable) return { fault: error.message };
  throw error;
}

const NOTHING = { processed: 0, forwarded: 0, arrived: 0, dropped: 0, dead: 0, later: 0 };

const pick = ({ processed, forwarded, arrived, dropped, dead, later }: typeof NOTHING) => ({
  processed,
  forwarded,
  arrived,
  dropped,
  dead,
  later,
});

function waiting(lanes: readonly LaneLag[]): StopAnswer["lag"] {
  const all = sum(lanes);
  const { messages, growth } = all;
  const falls = growth !== null && growth < 0 && messages > 0;
  return {
    ...all,
    caughtUpInS: falls ? messages / -growth : null,
    lanes: lanes.map((lane) => ({ ...lane })),
  };
}

function instanceOf(each: Instance, stop: string) {
  const { instance, host, pid, version, startedAt, seenAt, stops } = each;
  const { group, delivery, paused, problems, lanes } = stops.find((told) => told.stop === stop)!;
  return {
    instance,
    host,
    pid,
    version,
    startedAt,
    seenAt,
    group,
    delivery,
    paused,
    problems: [...problems],
    lanes: lanes.map(({ lane }) => lane),
    messages: lanes.reduce((sum, { position, end }) => sum + Math.max(0, end - position), 0),
    movedAt: Math.max(0, ...lanes.map(({ movedAt }) => movedAt)),
    standing: paused || problems.length > 0 ? null : standingWords(standingLanes([each], stop)),
  };
}

function stepOf({ at, counts, worked, waited }: Step): StopAnswer["history"][number] {
  const done = { forwarded: 0, arrived: 0, dropped: 0, dead: 0, later: 0 };
  for (const { outcome, count } of counts) done[outcome] += count;
  const drops = counts.filter(({ outcome }) => outcome === "dropped");
  return {
    at,
    processed: done.forwarded + done.arrived + done.dropped + done.dead,
    ...done,
    drops: drops.map(({ detail, count }) => ({ reason: detail, count })),
    workedMs: quantilesOf(worked),
    waitedMs: quantilesOf(waited),
  };
}

const sumBuckets = (all: readonly Buckets[]): Buckets => all.reduce(merge, {});
