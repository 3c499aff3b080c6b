import { createHash } from "node:crypto";
import type { OutcomeKind, Snapshot, StopSnapshot } from "metrobus";
import { age, clock, count, duration, figure, rate, share } from "../format.ts";
import { stopHref } from "../links.ts";
import { sentTo } from "../sources/topics.ts";
import { travelOrder } from "../travel-order.ts";
import type { StopOfAll, StopsAnswer } from "./list.ts";

/** What became of messages, in the order in which the page shows it. "uncounted": a stop that counts no outcomes, such as a Python one. */
const KINDS = ["forwarded", "arrived", "dropped", "dead"] as const satisfies readonly OutcomeKind[];
type Kind = (typeof KINDS)[number] | "uncounted";
const LABELS = { forwarded: "Forwarded", arrived: "Arrived", dropped: "Dropped", dead: "Dead", uncounted: "Not told" };

/** So many next stops or reasons are always in view; the rest unfolds. */
const IN_VIEW = 4;
/** Percent of the bar's width: what happened once among millions is seen too. */
const LEAST_WIDTH = 1.5;

export interface StopView extends StopSnapshot {
  readonly uncounted: number;
}

/** Every stop in travel order; also those of which only the original's `counter` knows, and those that have counted nothing yet. */
export function everyStop(snapshot: Snapshot): StopView[] {
  const counter = new Map(Object.entries(snapshot.counter));
  const known = snapshot.stops.map((stop) => {
    const processed = Math.max(stop.processed, counter.get(stop.stop) ?? 0);
    return { ...stop, processed, uncounted: Math.max(0, processed - outcomes(stop)) };
  });
  const names = new Set(known.map((stop) => stop.stop));
  const silent = [
    ...snapshot.pauses.keys(),
    ...snapshot.instances.flatMap((each) => each.stops.map(({ stop }) => stop)),
  ];
  const others = [...new Map([...silent.map((name) => [name, 0] as const), ...counter])].filter(
    ([name]) => !names.has(name),
  );
  const stops = new Map(
    [...known, ...others.map(([name, processed]) => counterOnly(name, processed))].map((stop) => [stop.stop, stop]),
  );
  const ways = new Map(
    [...stops.values()].map((stop) => [stop.stop, new Set(nextStops(stop).filter((name) => stops.has(name)))]),
  );
  return travelOrder(ways).map((name) => stops.get(name)!);
}

function outcomes(stop: StopSnapshot): number {
  return stop.forwarded + stop.dropped + stop.arrived + stop.dead;
}

function counterOnly(stop: string, processed: number): StopView {
  const none = {
    forwarded: 0,
    dropped: 0,
    arrived: 0,
    dead: 0,
    later: 0,
    counts: [],
    rate: 0,
    lastSeen: 0,
    worked: {},
    waited: {},
    from: [],
    gaps: 0,
    breaker: { openings: 0, openSince: 0 },
  };
  return { stop, processed, uncounted: processed, ...none };
}

function nextStops(stop: Pick<StopSnapshot, "counts">): string[] {
  return sentTo(stop.counts)
    .filter(({ count: times }) => times > 0)
    .map(({ detail }) => detail);
}

export function totalsOf(stops: readonly StopView[]) {
  const sum = (of: (stop: StopView) => number) => stops.reduce((total, stop) => total + of(stop), 0);
  return {
    processed: sum((stop) => stop.processed),
    forwarded: sum((stop) => stop.forwarded),
    arrived: sum((stop) => stop.arrived),
    dropped: sum((stop) => stop.dropped),
    dead: sum((stop) => stop.dead),
    later: sum((stop) => stop.later),
    rate: sum((stop) => stop.rate),
  };
}

/** All at once would be a megabyte, for each viewer and second, where there are hundreds. */
const A_PAGE = 50;

/** What `views/numbers.ejs` shows: texts, ready to be escaped. */
export function present(
  { at, fault, hits, totals: all, stops }: StopsAnswer,
  { base, page }: { readonly base: string; readonly page: number },
) {
  const stale = fault !== null;
  const pages = Math.max(1, Math.ceil(stops.length / A_PAGE));
  const first = (Math.min(page, pages) - 1) * A_PAGE;
  return {
    pages: pagesOf(pages, Math.min(page, pages), base),
    base,
    stale,
    fault,
    asOf: clock(at),
    hits: hits === 1 ? "once" : `${count(hits)} times`,
    totals: {
      rate: stale ? "–" : rate(all.rate),
      processed: figure(all.processed),
      outcomes: KINDS.map((kind) => ({ kind, label: LABELS[kind], count: figure(all[kind]) })),
    },
    stops: stops
      .slice(first, first + A_PAGE)
      .map((stop, index) => presentStop(stop, stops[first + index - 1], { stale, now: at, base })),
  };
}

/** None where one is enough. */
const pagesOf = (pages: number, current: number, base: string) =>
  Array.from({ length: pages > 1 ? pages : 0 }, (_, at) => ({
    href: `${base}/stops?page=${at + 1}`,
    label: `${at * A_PAGE + 1} – ${(at + 1) * A_PAGE}`,
    current: at + 1 === current,
  }));

interface Around {
  readonly stale: boolean;
  readonly now: number;
  readonly base: string;
}

function presentStop(stop: StopOfAll, before: StopOfAll | undefined, { stale, now, base }: Around) {
  const kinds: readonly Kind[] = stop.uncounted > 0 ? [...KINDS, "uncounted"] : KINDS;
  return {
    /** Stays with the stop through all updates, whatever its name is made of. */
    id: `stop-${createHash("sha256").update(stop.stop).digest("hex").slice(0, 12)}`,
    name: stop.stop,
    href: stopHref(base, stop.stop),
    linked: before !== undefined && nextStops(before).includes(stop.stop),
    running: !stale && stop.rate > 0,
    processed: figure(stop.processed),
    rate: stale ? "–" : rate(stop.rate),
    seen: stop.lastSeen === 0 ? "–" : age(stop.lastSeen, now),
    worked: mapValues(stop.workedMs, duration),
    waited: mapValues(stop.waitedMs, duration),
    later: stop.later > 0 ? { count: count(stop.later), times: stop.later === 1 ? "time" : "times" } : null,
    gaps: stop.gaps > 0 ? count(stop.gaps) : null,
    /** Since when its messages are held; null: they are not. */
    held: stop.breaker.openSince > 0 && !stale ? age(stop.breaker.openSince, now) : null,
    bar: bar(stop, kinds),
    outcomes: kinds.map((kind) => presentOutcome(stop, kind)),
  };
}

function presentOutcome(stop: StopOfAll, kind: Kind) {
  const details = stop.counts
    .filter(({ outcome, detail, count: times }) => outcome === kind && detail !== "" && times > 0)
    .map(({ detail, count: times }) => ({ text: detail, count: figure(times) }));
  return {
    kind,
    label: LABELS[kind],
    count: figure(stop[kind]),
    share: share(stop[kind], stop.processed),
    none: stop[kind] === 0,
    details: details.slice(0, IN_VIEW),
    more: details.slice(IN_VIEW),
  };
}

/** The outcomes side by side, 100 wide. */
function bar(stop: StopOfAll, kinds: readonly Kind[]) {
  const weights = kinds.map((kind) =>
    stop[kind] > 0 ? Math.max((stop[kind] / stop.processed) * 100, LEAST_WIDTH) : 0,
  );
  const sum = weights.reduce((total, weight) => total + weight, 0) || 1;
  let x = 0;
  return kinds.map((kind, index) => {
    const width = (weights[index]! / sum) * 100;
    x += width;
    return { kind, x: (x - width).toFixed(2), width: width.toFixed(2) };
  });
}

function mapValues<Key extends string, From, To>(object: Record<Key, From>, map: (value: From) => To): Record<Key, To> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value as From)])) as Record<Key, To>;
}
