import type { TripVisit } from "./trip-store.ts";

/**
 * The header's field `visits`: what a message has been through, so that it is known when it fails, though nobody recorded it on its
 * way. One short text, since every message carries it and pays for each byte: visits with blanks between, oldest first, each
 * `<stop>:<end of the instance's name>:<ms from boarding to its arrival>:<ms it was worked on>:<attempt>`; a number that is 0, and
 * the attempt if it is the first, is empty, and colons at the end are left out. The stop is its place in historical_route,
 * 1, 2, 3 …, or `@` and its name where it is not in there. How long it waited follows from when it came to the next one.
 * See docs/wire-format.md.
 */

/** Characters that a message carries; of more the oldest visits go. */
export const MOST_CARRIED = 1_500;

export interface OwnVisit {
  /** Its place in historical_route, or `@` and its name. */
  readonly stop: number | string;
  readonly instance: string;
  readonly sinceMs: number;
  /** Whole ms. */
  readonly workedMs: number;
  readonly attempt: number;
}

/** What was written last: messages of one batch mostly carry the same, and every message pays for it. */
let last = "";
let lastCarried: unknown;
let lastOwn: OwnVisit = { stop: 0, instance: "", sinceMs: 0, workedMs: 0, attempt: 0 };

/** `carried`: what stood in the header, which may be anything: what can be no visits is left out. */
export function addVisit(carried: unknown, own: OwnVisit): string {
  if (carried !== lastCarried || !isSame(own, lastOwn))
    [last, lastCarried, lastOwn] = [joined(carried, textOf(own)), carried, own];
  return last;
}

const isSame = (one: OwnVisit, other: OwnVisit): boolean =>
  one.sinceMs === other.sinceMs &&
  one.workedMs === other.workedMs &&
  one.stop === other.stop &&
  one.attempt === other.attempt &&
  one.instance === other.instance;

function textOf({ stop, instance, sinceMs, workedMs, attempt }: OwnVisit): string {
  const begun = `${stop}:${instance}`;
  if (attempt !== 1) return `${begun}:${sinceMs || ""}:${workedMs || ""}:${attempt}`;
  if (workedMs !== 0) return `${begun}:${sinceMs || ""}:${workedMs}`;
  return sinceMs === 0 ? begun : `${begun}:${sinceMs}`;
}

function joined(carried: unknown, own: string): string {
  if (typeof carried !== "string" || !PLAIN.test(carried)) return own;
  if (carried.length <= MOST_CARRIED) return `${carried} ${own}`;
  const from = carried.indexOf(" ", carried.length - MOST_CARRIED);
  return from < 0 ? own : `${carried.slice(from + 1)} ${own}`;
}

/** The stop that a message was at last, as far as it carries that. */
export function lastStop(carried: unknown, history: readonly string[]): string | undefined {
  if (typeof carried !== "string") return undefined;
  const match = VISIT.exec(carried.slice(carried.lastIndexOf(" ") + 1));
  return match ? stopOf(match, history) : undefined;
}

export interface Carrying {
  /** What stands in the header, which may be anything: what is no visit is left out. */
  readonly carried: unknown;
  /** Its historical_route. */
  readonly history: readonly string[];
  /** Epoch ms. */
  readonly boarded: number;
}

/** As the stop `here` reads them, to which the message came at `arrived` (epoch ms). */
export function readVisits({ carried, history, boarded }: Carrying, here: string, arrived: number): TripVisit[] {
  if (typeof carried !== "string") return [];
  const visits = carried
    .slice(-2 * MOST_CARRIED)
    .split(" ")
    .map((text) => VISIT.exec(text))
    .filter((match) => match !== null);
  return visits.map((match, n) => {
    const [, , , instance, , worked, attempt] = match;
    const next = visits[n + 1];
    const at = boarded + sinceOf(match);
    const workedMs = Number(worked || 0);
    return {
      stop: stopOf(match, history),
      from: n === 0 ? "" : stopOf(visits[n - 1]!, history),
      instance: instance!,
      partition: "",
      offset: "",
      at,
      waitedMs: Math.max(0, (next ? boarded + sinceOf(next) : arrived) - at - workedMs),
      workedMs,
      attempt: Number(attempt || 1),
      outcome: "forwarded",
      detail: next ? stopOf(next, history) : here,
    };
  });
}

function stopOf([, place, name]: RegExpExecArray, history: readonly string[]): string {
  return name ?? history[Number(place) - 1] ?? "";
}

const sinceOf = ([, , , , since]: RegExpExecArray): number => Number(since || 0);

const VISIT = /^(?:(\d{1,5})|@([\w.-]{1,249})):(\w{1,32})(?::(-?\d{1,13})?(?::(\d{1,13})?(?::(\d{1,6})?)?)?)?$/;
const PLAIN = /^[\w.:@ -]+$/;
