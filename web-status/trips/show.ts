import { exactJson } from "metrobus";
import { age, count, duration, exactClock, exactTime, time } from "../format.ts";
import { lettersHref, stopHref, tripHref } from "../links.ts";
import type { Shown } from "../resource.ts";
import { view } from "../views.ts";
import type { TripsAnswer, TripSummary } from "./find.ts";
import type { TripAnswer } from "./trip.ts";

const tripsPage = view("trips");
const tripPage = view("trip");

export const OUTCOMES = {
  forwarded: "forwarded to",
  arrived: "arrived",
  dropped: "dropped:",
  dead: "dead:",
  later: "put off:",
  waiting: "boarded",
  found: "found in the topic of",
} as const;

export function showTrips(
  { trips, looked, back, fault }: TripsAnswer,
  shown: Shown & { readonly query: object },
): string {
  return tripsPage({
    ...shown,
    fault,
    looked:
      looked === null
        ? null
        : `${count(looked)} messages of the topics${back === null ? "" : `, back to ${time(back)} UTC`}`,
    trips: trips.map((trip) => summary(trip, shown.base)),
  });
}

const summary = ({ id, key, stops, outcome, detail, at, isKept }: TripSummary, base: string) => ({
  href: tripHref(base, id),
  id,
  key,
  stops: stops.join(" → "),
  kind: outcome,
  outcome: OUTCOMES[outcome as keyof typeof OUTCOMES] ?? outcome,
  detail,
  at: time(at),
  isKept,
});

export function showTrip(trip: TripAnswer, shown: Shown): string {
  const { id, key, boarded, now, header, ahead, visits, source, at } = trip;
  return tripPage({
    ...shown,
    id,
    key,
    boarded: exactTime(boarded),
    took: visits.length > 0 ? duration(Math.max(0, now.since - boarded)) : null,
    words: inWords(now, at),
    kind: now.state,
    isRecorded: source === "recorded",
    ahead: ahead.map((stop) => ({ stop, href: stopHref(shown.base, stop) })),
    letters: now.state === "dead" ? lettersHref(shown.base, { messageId: id }) : null,
    header: header && JSON.stringify(header, null, 2),
    visits: visits.map((visit, n) => ({
      ...visit,
      href: stopHref(shown.base, visit.stop),
      nextHref: visit.outcome === "forwarded" ? stopHref(shown.base, visit.detail) : null,
      outcomeText: OUTCOMES[visit.outcome],
      since: n === 0 ? null : `+${duration(visit.at - boarded)}`,
      time: exactClock(visit.at),
      waited: duration(visit.waitedMs),
      worked: source === "recorded" ? workedFor(visit) : null,
      place: visit.offset === "" ? null : `partition ${visit.partition}, offset ${visit.offset}`,
      errorText: visit.error ? `${visit.error.name}: ${visit.error.message}` : null,
      payload: visit.payload === undefined ? null : pretty(visit.payload),
      ...bars(visit, visits),
    })),
  });
}

/** Told by another stop, it is in whole milliseconds. */
const workedFor = ({ workedMs, offset }: TripAnswer["visits"][number]): string =>
  offset === "" && workedMs === 0 ? "< 1 ms" : duration(workedMs);

function inWords({ state, stop, since, why }: TripAnswer["now"], at: number): string {
  if (state === "travelling")
    return stop
      ? `Sent on to ${stop}, ${age(since, at)}: ${why || "it waits there, or is being worked on"}`
      : "Boarded";
  if (state === "unrecorded")
    return `Sent on to ${stop}, ${age(since, at)}, and done there: what became of it is not recorded`;
  if (state === "arrived") return `Arrived at ${stop}, ${age(since, at)}`;
  if (state === "dropped") return `Dropped at ${stop}, ${age(since, at)}: ${why}`;
  if (state === "later") return `Put off at ${stop}, ${age(since, at)}: ${why}; it comes there again`;
  return `Dead at ${stop}, ${age(since, at)}: ${why}`;
}

/** How its time was spent, of 100 for the longest visit. */
function bars({ waitedMs, workedMs }: { waitedMs: number; workedMs: number }, visits: TripAnswer["visits"]) {
  const longest = Math.max(0.001, ...visits.map((each) => each.waitedMs + each.workedMs));
  const [wait, work] = [waitedMs, workedMs].map((ms) => (ms / longest) * 100) as [number, number];
  return { wait: wait.toFixed(2), work: Math.max(work, 0.5).toFixed(2) };
}

function pretty(json: string): string {
  try {
    return JSON.stringify(exactJson(json), null, 2);
  } catch {
    return json;
  }
}
