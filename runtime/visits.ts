import type { TripVisit } from "./trip-store.ts";

/**
 * The header's field `visits`: what a message has been through, so that it is known when it fails, though nobody recorded it on its
 * way. One short text, since every message carries it: visits with blanks between, oldest first, each
 * `<stop>:<ms from boarding to its arrival>:<ms it waited>:<µs it was worked on>:<end of the instance's name>`, and
 * `:<attempt>` behind it unless that is the first. The stop is its place in historical_route, 1, 2, 3 …, or `@` and its name where
 * it is not in there. See docs/wire-format.md.
 */

/** Characters that a message carries; of more the oldest visits go. */
export const MOST_CARRIED = 1_500;

/** `carried`: what stood in the header, which may be anything. What is returned needs no escapes in JSON. */
export function addVisit(carried: unknown, own: string): string {
  if (carried === undefined || typeof carried !== "string" || !PLAIN.test(carried)) return own;
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

/** As the stop `here` reads them. */
export function readVisits({ carried, history, boarded }: Carrying, here: string): TripVisit[] {
  if (typeof carried !== "string") return [];
  const visits = carried
    .slice(-2 * MOST_CARRIED)
    .split(" ")
    .map((text) => VISIT.exec(text))
    .filter((match) => match !== null);
  return visits.map((match, n) => {
    const [, , , since, waited, worked, instance, attempt] = match;
    return {
      stop: stopOf(match, history),
      from: n === 0 ? "" : stopOf(visits[n - 1]!, history),
      instance: instance!,
      partition: "",
      offset: "",
      at: boarded + Number(since),
      waitedMs: Number(waited),
      workedMs: Number(worked) / 1_000,
      attempt: Number(attempt ?? 1),
      outcome: "forwarded",
      detail: n === visits.length - 1 ? here : stopOf(visits[n + 1]!, history),
    };
  });
}

function stopOf([, place, name]: RegExpExecArray, history: readonly string[]): string {
  return name ?? history[Number(place) - 1] ?? "";
}

const VISIT = /^(?:(\d{1,5})|@([\w.-]{1,249})):(-?\d{1,13}):(\d{1,13}):(\d{1,16}):(\w{1,32})(?::(\d{1,6}))?$/;
const PLAIN = /^[\w.:@ -]+$/;
