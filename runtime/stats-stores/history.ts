import { SPANS, type Buckets, type Count, type Done, type Span, type Step } from "../stats-store.ts";

/**
 * A stop's history is copies of its totals, each made when the stop counts first in a step of time: what it did in that step
 * is what the next copy, or the present totals, differ by. A step without a copy is one in which it did nothing.
 */

/** The number, since 1970, of the step that a time (epoch ms) belongs to. */
export const stepOf = (span: Span, at: number): number => Math.floor(at / SPANS[span].stepMs);

/** Of the steps that belong to a span now, the numbers, oldest first. */
export function stepsOf(span: Span, now: number): readonly number[] {
  const { steps } = SPANS[span];
  const last = stepOf(span, now);
  return Array.from({ length: steps }, (_, back) => last - steps + 1 + back);
}

/** Of which span's history, and of how many of its steps, what was done of late is made. */
const RECENT = { quarter: { span: "6h", count: 4 }, minute: { span: "15m", count: 7 } } as const;
export type Window = keyof typeof RECENT;

/** The steps that are recent, oldest first, the span that they belong to, and when they began (epoch ms). */
export function recentSteps(window: Window, now: number): { span: Span; steps: readonly number[]; since: number } {
  const { span, count } = RECENT[window];
  const steps = stepsOf(span, now).slice(-count);
  return { span, steps, since: steps[0]! * SPANS[span].stepMs };
}

/** `copy`: what the totals were at the beginning of a step, if the stop counted in it. */
export function history(
  span: Span,
  now: number,
  totals: Done,
  copy: (step: number) => Done | undefined,
): readonly Step[] {
  let later = totals;
  const newestFirst = stepsOf(span, now)
    .toReversed()
    .map((step) => {
      const before = copy(step);
      const done = before ? difference(later, before) : NOTHING;
      later = before ?? later;
      return { at: step * SPANS[span].stepMs, ...done };
    });
  return newestFirst.toReversed();
}

export const NOTHING: Done = { counts: [], worked: {}, waited: {}, from: [] };

/** What came in between; both are totals of the same stop. */
export function difference(later: Done, earlier: Done): Done {
  const before = new Map(earlier.counts.map((each) => [keyOf(each), each.count]));
  const counts = later.counts.map((each) => ({ ...each, count: each.count - (before.get(keyOf(each)) ?? 0) }));
  const from = later.from.map(({ stop, waited }) => {
    const had = earlier.from.find((each) => each.stop === stop)?.waited ?? {};
    return { stop, waited: less(waited, had) };
  });
  return {
    counts: counts.filter(({ count }) => count > 0).map(({ outcome, detail, count }) => ({ outcome, detail, count })),
    worked: less(later.worked, earlier.worked),
    waited: less(later.waited, earlier.waited),
    from: from.filter(({ waited }) => Object.keys(waited).length > 0),
  };
}

const keyOf = ({ outcome, detail }: Count): string => `${outcome}:${detail}`;

function less(later: Buckets, earlier: Buckets): Buckets {
  const rest: Record<number, number> = {};
  for (const [bucket, count] of Object.entries(later)) {
    const added = count - (earlier[Number(bucket)] ?? 0);
    if (added > 0) rest[Number(bucket)] = added;
  }
  return rest;
}
