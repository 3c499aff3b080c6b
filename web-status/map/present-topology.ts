import type { Snapshot } from "metrobus";
import type { Lag } from "../sources/lag.ts";
import { known, type LatestStats } from "../sources/latest.ts";
import type { Topology } from "./answer.ts";
import { topology } from "./topology.ts";

/** The newest counts, and the map that follows from them. */
export interface Present {
  readonly snapshot: Snapshot;
  /** Why the counts can't be read; they are then what they were last. null: they are fresh. */
  readonly fault: string | null;
  readonly topology: Topology;
}

/** Found once for all views of the same counts. The function throws Unavailable when there are no counts. */
export function presentTopology(latest: LatestStats, lag: Lag): () => Promise<Present> {
  const found = new WeakMap<Snapshot, Topology>();
  return async () => {
    const [now, recent] = await Promise.all([latest.read(), latest.recent()]);
    const { snapshot, fault } = known(now);
    const before = found.get(snapshot) ?? topology(snapshot, recent, lag.all(snapshot));
    found.set(snapshot, before);
    return { snapshot, fault, topology: before };
  };
}
