import { createHash } from "node:crypto";
import type { Stations } from "./grouping.ts";

/** What a layout depends on: which stations there are, and which ways; no numbers. */
export interface Shape {
  /** The same for equal shapes only. */
  readonly key: string;
  /** Stations' ids in travel order. */
  readonly nodes: readonly string[];
  readonly edges: readonly (readonly [from: string, to: string])[];
}

export function shapeOf({ stations, ways }: Stations): Shape {
  const nodes = stations.map(({ id }) => id);
  const place = new Map(nodes.map((id, index) => [id, index]));
  const edges = ways
    .map(({ from, to }) => [from, to] as const)
    .toSorted((a, b) => place.get(a[0])! - place.get(b[0])! || place.get(a[1])! - place.get(b[1])!);
  const key = createHash("sha256")
    .update(JSON.stringify([nodes, edges]))
    .digest("hex");
  return { key, nodes, edges };
}

/** Names an edge in a `Placed`. */
export const edgeKey = (from: string, to: string): string => JSON.stringify([from, to]);
