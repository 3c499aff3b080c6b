import { edgeKey, type Shape } from "./shape.ts";

/** Stations one below the other, as on the diagram over a metro's doors: for narrow screens. */
export interface LineDiagram {
  /** Where the stations' marks are, and where their texts begin. */
  readonly x: number;
  readonly textX: number;
  readonly height: number;
  /** By id: the top of its row. */
  readonly rows: ReadonlyMap<string, number>;
  /** By `edgeKey`: how it is drawn. A way that finds no room beside the stations is left out; its numbers are in its station's row. */
  readonly paths: ReadonlyMap<string, string>;
}

const LANE = 7;
const LANES_AT_MOST = 5;
const MARK = { y: 18, radius: 12 } as const;
const TURN = 8;

/** `heightOf`: what a station's row needs. */
export function lineDiagram({ nodes, edges }: Shape, heightOf: (id: string) => number): LineDiagram {
  const rows = new Map<string, number>();
  let height = 0;
  for (const id of nodes) {
    rows.set(id, height);
    height += heightOf(id);
  }
  const place = new Map(nodes.map((id, at) => [id, at]));
  const isNext = ([from, to]: Shape["edges"][number]) => place.get(from)! + 1 === place.get(to);
  const lanes = lanesOf(
    edges.filter((edge) => !isNext(edge) && edge[0] !== edge[1]),
    place,
  );
  const x = MARK.radius + 4 + (Math.max(-1, ...lanes.values()) + 1) * LANE;
  const paths = edges.flatMap((edge): [string, string][] => {
    const [from, to] = [rows.get(edge[0])! + MARK.y, rows.get(edge[1])! + MARK.y];
    const lane = lanes.get(edge[0]);
    if (isNext(edge)) return [[edgeKey(...edge), `M${x} ${from + MARK.radius}V${to - MARK.radius}`]];
    return edge[0] === edge[1] || lane === undefined
      ? []
      : [[edgeKey(...edge), around(x, x - MARK.radius - 2 - lane * LANE - TURN / 2, from, to)]];
  });
  return { x, textX: x + MARK.radius + 12, height, rows, paths: new Map(paths) };
}

/** From a mark's left side up or down a lane, and to the left side of another. */
function around(x: number, laneX: number, from: number, to: number): string {
  const down = to > from ? 1 : -1;
  const [out, back, turn] = [from + 5, to - 5, TURN * down];
  const left = x - MARK.radius;
  return `M${left} ${out}H${laneX + TURN}Q${laneX} ${out} ${laneX} ${out + turn}V${back - turn}Q${laneX} ${back} ${laneX + TURN} ${back}H${left}`;
}

/** Station → the lane, 0 next to the stations, that all its ways take which go further than to the next one; short ones are near. */
function lanesOf(edges: Shape["edges"], place: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const spans = [...Map.groupBy(edges, ([from]) => from)].map(([from, ways]) => {
    const rows = [place.get(from)!, ...ways.map(([, to]) => place.get(to)!)];
    return { from, first: Math.min(...rows), last: Math.max(...rows) };
  });
  const lanes: { first: number; last: number }[][] = [];
  const laneOf = new Map<string, number>();
  for (const span of spans.toSorted((a, b) => a.last - a.first - (b.last - b.first))) {
    const isFree = (lane: { first: number; last: number }[]) =>
      lane.every(({ first, last }) => last < span.first || first > span.last);
    const free = lanes.findIndex(isFree);
    const lane = free === -1 ? lanes.length : free;
    if (lane >= LANES_AT_MOST) continue;
    (lanes[lane] ??= []).push(span);
    laneOf.set(span.from, lane);
  }
  return laneOf;
}
