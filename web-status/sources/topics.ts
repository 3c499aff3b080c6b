import { MAX_DETAILS, type Count, type Snapshot } from "metrobus";

/** To which stops it has forwarded, and how often. "other" is all that came after there were too many to tell apart, and no stop. */
export function sentTo<Counted extends Count>(counts: readonly Counted[] = []): Counted[] {
  const isRest = (detail: string) => detail === "other" && counts.length > MAX_DETAILS;
  return counts.filter(({ outcome, detail }) => outcome === "forwarded" && !isRest(detail));
}

/** Those of all stops that are known: that have counted something, that a process has or had, that are paused or sent to. */
export function topicsOf({ stops, instances, vanished, pauses }: Snapshot): string[] {
  const next = stops.flatMap(({ counts }) => sentTo(counts));
  const told = [...instances, ...vanished].flatMap((each) => each.stops.map(({ stop }) => stop));
  return [
    ...new Set([...stops.map(({ stop }) => stop), ...told, ...pauses.keys(), ...next.map(({ detail }) => detail)]),
  ];
}
