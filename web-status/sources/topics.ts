import type { Snapshot } from "metrobus";

/** Those of all stops that are known: that have counted something, that a process has or had, that are paused or sent to. */
export function topicsOf({ stops, instances, vanished, pauses }: Snapshot): string[] {
  const sentTo = stops.flatMap(({ counts }) => counts.filter(({ outcome }) => outcome === "forwarded"));
  const told = [...instances, ...vanished].flatMap((each) => each.stops.map(({ stop }) => stop));
  return [
    ...new Set([...stops.map(({ stop }) => stop), ...told, ...pauses.keys(), ...sentTo.map(({ detail }) => detail)]),
  ];
}
