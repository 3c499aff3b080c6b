/** Numbers, durations and ages as people read them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", {
  notation: "compact",
  minimumFractionDigits: 3,
  maximumFractionDigits: 3,
  roundingMode: "trunc",
});
const shortest = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1, roundingMode: "trunc" });
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `1234567` → `1,234,567`. */
export function count(number: number): string {
  return whole.format(number);
}

/** A count where there is little room: at most 13 characters, such as `9,999,999,999`, `10.000B` and `1.234T`. */
export interface Figure {
  readonly text: string;
  /** The count in full where `text` is short for it. */
  readonly exact?: string;
}

export function figure(number: number): Figure {
  return number < 1e10 ? { text: count(number) } : { text: short.format(number), exact: count(number) };
}

/** A count in at most 6 characters: `9,999`, `12.3K`, `1.2M`. */
export function compact(number: number): string {
  return number < 1e4 ? count(number) : shortest.format(number);
}

/** Messages per second: `0`, `0.4`, `12.5`, `1,234`, `1.234M`. */
export function rate(perSecond: number): string {
  if (perSecond >= 1e6) return short.format(perSecond);
  return perSecond >= 100 || Number.isInteger(perSecond) ? count(perSecond) : perSecond.toFixed(1);
}

/** Part of a whole: `33.3 %`. Only nothing is 0 % and only all is 100 %. */
export function share(part: number, of: number): string {
  if (part <= 0 || of <= 0) return "0 %";
  if (part >= of) return "100 %";
  const percent = (part / of) * 100;
  if (percent < 0.1) return "< 0.1 %";
  return percent > 99.9 ? "> 99.9 %" : `${percent.toFixed(1)} %`;
}

/** Milliseconds with the unit that suits them: `120 µs`, `3.4 ms`, `1.2 s`, `3.5 min`; null: `–`. */
export function duration(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return "–";
  if (ms < 1) return `${Math.round(ms * 1_000)} µs`;
  if (ms < SECOND) return inUnit(ms, "ms");
  if (ms < MINUTE) return inUnit(ms / SECOND, "s");
  if (ms < HOUR) return inUnit(ms / MINUTE, "min");
  return ms < 2 * DAY ? inUnit(ms / HOUR, "h") : inUnit(ms / DAY, "days");
}

function inUnit(number: number, unit: string): string {
  return `${number < 10 ? number.toFixed(1) : count(number)} ${unit}`;
}

/** How long ago: `just now`, `12 s ago`, `3 min ago`; 0: `never`. A clock that is ahead of ours counts as now. */
export function age(at: number, now: number): string {
  if (at === 0) return "never";
  const ms = now - at;
  if (ms < 2 * SECOND) return "just now";
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s ago`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`;
  return ms < 2 * DAY ? `${Math.floor(ms / HOUR)} h ago` : `${Math.floor(ms / DAY)} days ago`;
}

/** Time of day in UTC: `14:03:22 UTC`. */
export function clock(at: number): string {
  return `${iso(at).slice(11, 19) || "–"} UTC`;
}

/** The same with milliseconds and without the zone: `14:03:22.123`. */
export function exactClock(at: number): string {
  return iso(at).slice(11, 23) || "–";
}

/** Day and time in UTC: `2026-11-21 14:03:22`. */
export function time(at: number): string {
  return iso(at).slice(0, 19).replace("T", " ") || "–";
}

/** The same with milliseconds and the zone: `2026-11-21 14:03:22.123 UTC`. */
export function exactTime(at: number): string {
  return iso(at).replace("T", " ").replace("Z", " UTC") || "–";
}

/** "": messages tell of times, and it is none that a date can have. */
function iso(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}
