import { edgeKey, type Shape } from "./shape.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Line {
  /** From the station's right side to the other's left side, with right angles between; straight where nobody has found a way. */
  readonly points: readonly Point[];
  /** The upper left corner of the room for its numbers; null: there is none. */
  readonly label: Point | null;
}

/** Where everything is, in pixels at natural size. */
export interface Placed {
  readonly width: number;
  readonly height: number;
  /** By id: the upper left corner. */
  readonly nodes: ReadonlyMap<string, Point>;
  /** By `edgeKey`. */
  readonly edges: ReadonlyMap<string, Line>;
}

/** A station takes this much, whatever it shows: its card, its mark on the card's left edge, its ends below. */
export const STATION = { width: 164, height: 134, lineY: 52 } as const;
/** The numbers of a line, around it. */
export const LABEL = { width: 66, height: 58 } as const;
export const MARGIN = 16;
const GAP = 40;

/**
 * Places for all of a shape, as far as possible those of an earlier one. New stations stand at the side, in columns, and
 * the lines that are new are straight.
 */
export function complete(earlier: Placed, { nodes, edges }: Shape): Placed {
  const missing = nodes.filter((id) => !earlier.nodes.has(id));
  const rows = Math.max(
    1,
    Math.floor(earlier.height / (STATION.height + GAP)),
    Math.ceil(Math.sqrt(missing.length / 2)),
  );
  const columns = Math.ceil(missing.length / rows);
  const left = earlier.nodes.size > 0 ? earlier.width - MARGIN + GAP * 2 : MARGIN;
  const places = new Map<string, Point>(missing.map((id, index) => [id, placeAt(index, rows, left)]));
  for (const id of nodes) places.set(id, places.get(id) ?? earlier.nodes.get(id)!);
  const lines = edges.map(([from, to]) => {
    const key = edgeKey(from, to);
    return [key, earlier.edges.get(key) ?? straight(places.get(from)!, places.get(to)!)] as const;
  });
  return {
    width: missing.length === 0 ? earlier.width : left + columns * (STATION.width + GAP * 2) - GAP * 2 + MARGIN,
    height: Math.max(earlier.height, missing.length === 0 ? 0 : MARGIN * 2 + rows * (STATION.height + GAP) - GAP),
    nodes: places,
    edges: new Map(lines),
  };
}

export const NOWHERE: Placed = { width: 0, height: 0, nodes: new Map(), edges: new Map() };

function placeAt(index: number, rows: number, left: number): Point {
  const [column, row] = [Math.floor(index / rows), index % rows];
  return { x: left + column * (STATION.width + GAP * 2), y: MARGIN + row * (STATION.height + GAP) };
}

function straight(from: Point, to: Point): Line {
  const points = [
    { x: from.x + STATION.width, y: from.y + STATION.lineY },
    { x: to.x, y: to.y + STATION.lineY },
  ];
  return { points, label: null };
}
