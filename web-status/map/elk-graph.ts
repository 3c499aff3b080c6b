import type { ElkExtendedEdge, ElkNode } from "elkjs/lib/elk-api.js";
import { LABEL, MARGIN, STATION, type Line, type Placed, type Point } from "./placed.ts";
import { edgeKey, type Shape } from "./shape.ts";

/** With more lines their numbers would be most of the map: they are in the table. */
const LABELS_UP_TO = 60;
/** Larger maps are laid out with less care, or it would take minutes. */
const CAREFUL_UP_TO = 100;

/** A shape as ELK has graphs. Nodes are named by their index: what is in a stop's name does not matter. */
export function elkGraph({ nodes, edges }: Shape): ElkNode {
  const index = new Map(nodes.map((id, at) => [id, at]));
  const isLabelled = edges.length <= LABELS_UP_TO;
  return {
    id: "map",
    layoutOptions: options(edges.length <= CAREFUL_UP_TO),
    children: nodes.map((_, at) => ({
      id: `n${at}`,
      width: STATION.width,
      height: STATION.height,
      layoutOptions: { "elk.portConstraints": "FIXED_POS" },
      ports: [port(`i${at}`, 0, "WEST"), port(`o${at}`, STATION.width, "EAST")],
    })),
    edges: edges.map(([from, to], at) => ({
      id: `e${at}`,
      sources: [`o${index.get(from)}`],
      targets: [`i${index.get(to)}`],
      labels:
        isLabelled && from !== to ? [{ ...LABEL, id: `l${at}`, text: "numbers", layoutOptions: ON_ITS_LINE }] : [],
    })),
  };
}

const port = (id: string, x: number, side: string) => ({
  id,
  x,
  y: STATION.lineY,
  width: 0,
  height: 0,
  layoutOptions: { "elk.port.side": side },
});

const ON_ITS_LINE = { "elk.edgeLabels.inline": "true", "elk.edgeLabels.placement": "CENTER" };

const options = (isCareful: boolean): Record<string, string> => ({
  "elk.algorithm": "layered",
  "elk.direction": "RIGHT",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.padding": `[top=${MARGIN},left=${MARGIN},bottom=${MARGIN},right=${MARGIN}]`,
  "elk.spacing.nodeNode": "14",
  "elk.spacing.edgeNode": "14",
  "elk.spacing.edgeEdge": "14",
  "elk.spacing.edgeLabel": "0",
  "elk.layered.spacing.nodeNodeBetweenLayers": "16",
  "elk.layered.spacing.edgeNodeBetweenLayers": "12",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "14",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.layered.cycleBreaking.strategy": "GREEDY_MODEL_ORDER",
  "elk.layered.nodePlacement.strategy": isCareful ? "NETWORK_SIMPLEX" : "BRANDES_KOEPF",
  "elk.layered.thoroughness": isCareful ? "7" : "2",
});

/** What ELK has made of the graph of a shape. */
export function placedBy({ width = 0, height = 0, children = [], edges = [] }: ElkNode, shape: Shape): Placed {
  const nodes = shape.nodes.map((id, at) => [id, pointOf(children[at]!)] as const);
  const lines = shape.edges.map(([from, to], at) => [edgeKey(from, to), lineOf(edges[at]!)] as const);
  return { width: Math.ceil(width), height: Math.ceil(height), nodes: new Map(nodes), edges: new Map(lines) };
}

function lineOf({ sections, labels }: ElkExtendedEdge): Line {
  const { startPoint, bendPoints = [], endPoint } = sections![0]!;
  const points = [startPoint, ...bendPoints, endPoint].map(pointOf);
  return { points, label: labels?.[0] ? pointOf(labels[0]) : null };
}

const pointOf = ({ x = 0, y = 0 }: Partial<Point>): Point => ({ x: Math.round(x), y: Math.round(y) });
