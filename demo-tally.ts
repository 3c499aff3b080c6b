import type { LaneState, Snapshot } from "metrobus";

/** So many messages that ended at this stop for this reason. */
interface End {
  stop: string;
  reason: string;
  count: number;
}

/** What became of the demo's messages: each one pushed is dropped, logged, dead or unfinished, and only one of them. */
export interface Tally {
  pushed: number;
  /** Hops from one stop to the next. */
  forwarded: number;
  dropped: readonly End[];
  dead: readonly End[];
  logged: number;
  /** Still on the bus. */
  unfinished: number;
}

export function tally(pushed: number, { stops }: Snapshot, lanes: readonly LaneState[]): Tally {
  const ends = (kind: "dropped" | "dead") =>
    stops.flatMap(({ stop, counts }) =>
      counts.filter(({ outcome }) => outcome === kind).map(({ detail, count }) => ({ stop, reason: detail, count })),
    );
  return {
    pushed,
    forwarded: sum(stops.map((stop) => stop.forwarded)),
    dropped: ends("dropped"),
    dead: ends("dead"),
    logged: sum(stops.map((stop) => stop.arrived)),
    unfinished: sum(lanes.map(({ position, end }) => Number(end - position))),
  };
}

/** The messages whose end is known, and those still on the bus. */
const accounted = ({ dropped, dead, logged, unfinished }: Tally): number =>
  sum([...dropped, ...dead].map(({ count }) => count)) + logged + unfinished;

export const addsUp = (end: Tally): boolean => accounted(end) === end.pushed;

/** How it goes, in one line. */
export function line(now: Tally, count: number): string {
  const all = (ends: readonly End[]) => sum(ends.map((end) => end.count));
  const counts = [
    `pushed ${now.pushed} of ${count}`,
    `forwarded ${now.forwarded}`,
    `dropped ${all(now.dropped)}`,
    `logged ${now.logged}`,
    `dead ${all(now.dead)}`,
  ].join(" · ");
  // The reasons come last: a narrow terminal cuts the line off.
  return [counts, ...now.dropped.map((drops) => `${drops.reason} ${drops.count}`)].join(" · ");
}

/** What became of every message, and their sum. */
export function report(end: Tally): string {
  const found = accounted(end);
  const verdict =
    found === end.pushed ? "every message is accounted for" : `${end.pushed} were pushed: please report this bug`;
  const dead = end.dead.length > 0 ? end.dead : [{ count: 0 }];
  return [
    `What became of ${counted(end.pushed, "message")}, forwarded ${counted(end.forwarded, "time")} from stop to stop:`,
    ...end.dropped.map((drops) => row("dropped", drops)),
    row("logged", { count: end.logged }),
    ...dead.map((letters) => row("dead", letters)),
    row("unfinished", { count: end.unfinished }),
    row("sum", { count: found }, verdict),
  ].join("\n");
}

function row(what: string, { count, stop, reason }: Partial<End>, why = stop ? `at ${stop}: ${reason}` : ""): string {
  return `  ${what.padEnd(10)} ${String(count).padStart(7)}  ${why}`.trimEnd();
}

/** `1 message`, `2 messages`. */
export const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? "" : "s"}`;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
