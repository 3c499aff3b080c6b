import type { Count, Did, OutcomeKind, Recent } from "metrobus";

/** How many were counted, of one kind or in all. */
export function many(counts: readonly Count[] = [], kind?: OutcomeKind): number {
  return counts.reduce((total, each) => (kind && each.outcome !== kind ? total : total + each.count), 0);
}

/** How many of them the stop is done with: what was put off is not. */
export const doneWith = (counts?: readonly Count[]): number => many(counts) - many(counts, "later");

/** Of fewer messages a share says little. */
const ENOUGH = 20;

/** What a stop did in the last minute, if that is enough to tell by, or else in the last quarter of an hour. */
export function lately({ quarter, minute }: Recent, stop: string): Did | undefined {
  const done = minute.stops.get(stop);
  return done && many(done.counts) >= ENOUGH ? done : quarter.stops.get(stop);
}
