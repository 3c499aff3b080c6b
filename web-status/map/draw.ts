import type { MapWay } from "./answer.ts";
import { twoLines } from "./fit.ts";
import type { Station, Stations } from "./grouping.ts";
import type { Layout } from "./layout.ts";
import type { Line, Point } from "./placed.ts";
import { edgeKey } from "./shape.ts";
import {
  boardsText,
  domId,
  endsOf,
  isGroup,
  rateText,
  stateWords,
  stationHref,
  wayTexts,
  wayWords,
  WORDS,
  type Asked,
} from "./texts.ts";

/** The map for wide screens, for `views/map-wide.ejs`: texts ready to be escaped, coordinates in pixels. */
export function drawWide(
  { stations, ways }: Stations,
  { placed }: Layout,
  isFound: (station: Station) => boolean | null,
  asked: Asked,
) {
  const nameOf = new Map(stations.map(({ id, name }) => [id, name]));
  const lines = ways.map((way) => {
    const line = placed.edges.get(edgeKey(way.from, way.to))!;
    return drawWay(way, line, wayWords(way, nameOf.get(way.from)!, nameOf.get(way.to)!, asked), asked);
  });
  return {
    width: placed.width,
    height: placed.height,
    /** Those that are taken now are drawn over the others. */
    ways: lines.toSorted((a, b) => Math.min(a.weight, 1) - Math.min(b.weight, 1)),
    stations: stations.map((station) => drawStation(station, placed.nodes.get(station.id)!, isFound(station), asked)),
  };
}

/** Messages a second from which on a line is of the next width. */
const WIDTHS = [0.001, 1, 10, 100, 1_000];

/** How wide a line is, 0 to 5, and by that how it is drawn. */
export function weightOf({ rate, recent, old }: MapWay): number {
  if (old) return -1;
  const now = rate ?? (recent > 0 ? WIDTHS[0]! : 0);
  return WIDTHS.filter((least) => now >= least).length;
}

function drawWay(way: MapWay, { points, label }: Line, words: string, asked: Asked) {
  const weight = asked.stale ? Math.min(weightOf(way), 1) : weightOf(way);
  return {
    id: domId(edgeKey(way.from, way.to)),
    weight,
    kind: weight < 0 ? "old" : `w${weight}`,
    d: rounded(points),
    words,
    label: way.old || !label ? null : { ...label, ...wayTexts(way, asked) },
  };
}

function drawStation(station: Station, { x, y }: Point, found: boolean | null, asked: Asked) {
  const lines = twoLines(station.name, ROOM);
  return {
    id: domId(station.id),
    href: stationHref(station, asked),
    words: stateWords(station),
    kind: [station.state, isGroup(station) && "group", found !== null && (found ? "hit" : "faint")]
      .filter(Boolean)
      .join(" "),
    state: station.state,
    x,
    y,
    isGroup: isGroup(station),
    lines: lines.map((text, index) => ({ text, y: lines.length === 1 ? 35 : 28 + index * 15 })),
    word: WORDS[station.state],
    rate: rateText(station.rate, asked),
    brief: station.brief,
    boards: boardsText(station, asked),
    ends: endsOf(station, asked).map((end) => ({ ...end, x: ENDS_FROM + end.slot * ENDS_APART })),
  };
}

/** Characters of a name in a line of a card. */
const ROOM = 15;
const ENDS_FROM = 46;
const ENDS_APART = 46;
const TURN = 12;

/** A line with round corners. */
export function rounded(points: readonly Point[]): string {
  const [start, ...rest] = points;
  const parts = rest.map((point, index) => {
    const next = rest[index + 1];
    if (!next) return `L${at(point)}`;
    const before = points[index]!;
    const turn = Math.min(TURN, distance(before, point) / 2, distance(point, next) / 2);
    return `L${at(towards(point, before, turn))}Q${at(point)} ${at(towards(point, next, turn))}`;
  });
  return `M${at(start!)}${parts.join("")}`;
}

const at = ({ x, y }: Point): string => `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
const distance = (a: Point, b: Point): number => Math.abs(a.x - b.x) + Math.abs(a.y - b.y);

function towards(from: Point, to: Point, by: number): Point {
  const far = distance(from, to);
  return far === 0 ? from : { x: from.x + ((to.x - from.x) / far) * by, y: from.y + ((to.y - from.y) / far) * by };
}
