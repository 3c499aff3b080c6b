import type { Told } from "../support/reporting.ts";

export interface Sample extends Pick<Told, "rssMB" | "heapMB" | "externalMB" | "handles"> {
  /** Since the load began. */
  readonly minutes: number;
  /** Messages that wait, at both stops. */
  readonly lag: number;
}

export interface Trend {
  readonly mean: number;
  /** Per hour, in percent of the mean, as least squares has it; and how far that may be off, once in twenty times. */
  readonly growth: number;
  readonly give: number;
}

/** Memory may grow by so many percent an hour. */
const MOST_GROWTH = 5;
/** So many handles of a kind come and go. */
const COME_AND_GO = 2;
/** What waits is less than the load of so many seconds. */
const MOST_LAG_S = 15;

export function trend(points: readonly (readonly [minutes: number, value: number])[]): Trend {
  const count = points.length;
  const [x, y] = [0, 1].map((of) => points.reduce((sum, point) => sum + point[of]!, 0) / count) as [number, number];
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  const slope = points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread;
  const rest = points.reduce((sum, [at, value]) => sum + (value - y - slope * (at - x)) ** 2, 0);
  const error = Math.sqrt(rest / Math.max(1, count - 2) / spread);
  const percent = (each: number) => (each * 60 * 100) / y;
  return { mean: y, growth: percent(slope), give: percent(2 * error) };
}

/** Of the second half: the first is for caches to fill. */
export function trends(samples: readonly Sample[]): Record<"heap" | "rss", Trend> {
  const half = samples.slice(Math.floor(samples.length / 2));
  return {
    heap: trend(half.map(({ minutes, heapMB, externalMB }) => [minutes, heapMB + externalMB])),
    rss: trend(half.map(({ minutes, rssMB }) => [minutes, rssMB])),
  };
}

/** What is wrong; empty: nothing. */
export function verdict(samples: readonly Sample[], rate: number): string[] {
  const faults: string[] = [];
  for (const [what, { growth, give }] of Object.entries(trends(samples))) {
    if (growth - give > MOST_GROWTH)
      faults.push(`${what} grows by ${growth.toFixed(1)} ± ${give.toFixed(1)} % an hour`);
  }
  const quarter = Math.floor(samples.length / 4);
  const kinds = new Set(samples.flatMap(({ handles }) => Object.keys(handles)));
  for (const kind of kinds) {
    // A message at work has timers: what stays open shows when little is at work.
    const least = (some: readonly Sample[]) => Math.min(...some.map(({ handles }) => handles[kind] ?? 0));
    const [early, late] = [least(samples.slice(quarter, 2 * quarter)), least(samples.slice(-quarter))];
    if (late > early + COME_AND_GO) faults.push(`of ${kind} there were ${early} at least, and then ${late}`);
  }
  const lag = Math.max(...samples.slice(quarter).map((sample) => sample.lag));
  if (lag > rate * MOST_LAG_S) faults.push(`up to ${lag} messages wait: the load is more than it can do`);
  return faults;
}
