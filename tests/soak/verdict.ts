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

/** Memory may grow by so many percent an hour; of fewer minutes only what is plain is told. */
const MOST_GROWTH = 5;
const LEAST_MINUTES = 20;
const MOST_GROWN_MB = 30;
const POINTS = 6;
const MEMORY = {
  /** After a collection of garbage. */
  heap: ({ heapMB, externalMB }: Sample) => heapMB + externalMB,
  rss: ({ rssMB }: Sample) => rssMB,
};
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

/** Of the second half: the first is for caches to fill. What is at work comes and goes, so the least of some samples in a row counts. */
export function trends(samples: readonly Sample[]): Record<keyof typeof MEMORY, Trend> {
  const half = samples.slice(Math.floor(samples.length / 2));
  const together = Math.ceil(half.length / POINTS);
  const floors = (of: (sample: Sample) => number) =>
    Array.from({ length: Math.ceil(half.length / together) }, (_, at): [number, number] => {
      const some = half.slice(at * together, (at + 1) * together);
      return [some[0]!.minutes, Math.min(...some.map(of))];
    });
  return { heap: trend(floors(MEMORY.heap)), rss: trend(floors(MEMORY.rss)) };
}

/** What is wrong; empty: nothing. */
export function verdict(samples: readonly Sample[], rate: number): string[] {
  const faults: string[] = [];
  const minutes = samples.at(-1)!.minutes;
  for (const [what, { mean, growth, give }] of Object.entries(trends(samples))) {
    const grownMB = (mean * growth * minutes) / 2 / 60 / 100;
    const isSure = minutes >= LEAST_MINUTES && growth - give > MOST_GROWTH;
    if (isSure || grownMB > MOST_GROWN_MB)
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
