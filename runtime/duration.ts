/** Durations in words, the same in settings and in options: a whole number with its unit, "500ms", "8s", "2m", "1h". */

const UNITS = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/** What timers of Node take, and so the longest there is: they end at once when they are given more. */
export const LONGEST_MS = 2 ** 31 - 1;

export const isDuration = (text: unknown): text is string => typeof text === "string" && /^\d+(ms|s|m|h)$/.test(text);

/** Of text that `isDuration` takes. */
export function milliseconds(text: string): number {
  return Number.parseInt(text) * UNITS[text.replace(/^\d+/, "") as keyof typeof UNITS];
}

/** In the largest unit that leaves a whole number, so there is one text for each duration: 60,000 is "1m". */
export function durationText(ms: number): string {
  const [unit, size] = Object.entries(UNITS).find(([, size]) => ms % size === 0)!;
  return `${ms / size}${unit}`;
}
