import { oneLine } from "./fit.ts";
import type { Station, Stations } from "./grouping.ts";
import { lineDiagram } from "./line.ts";
import { weightOf } from "./draw.ts";
import { edgeKey, type Shape } from "./shape.ts";
import { boardsText, domId, endsOf, rateText, stateWords, stationHref, wayTexts, WORDS, type Asked } from "./texts.ts";

/** Ways of a station that its row has a line for each. */
const WAYS_AT_MOST = 6;
const HEAD = 44;
const LINE = 18;
const GAP = 12;
/** Characters. */
const NAME_ROOM = 20;
const WAY_ROOM = 13;
/** Wide enough for a row's numbers. */
const WIDTH = 262;

/** The map for narrow screens, for `views/map-line.ejs`: a row a station, what it does below its name. */
export function drawLine(
  { stations, ways }: Stations,
  shape: Shape,
  isFound: (station: Station) => boolean | null,
  asked: Asked,
) {
  const from = Map.groupBy(
    ways.filter(({ old }) => !old),
    (way) => way.from,
  );
  const all = Map.groupBy(ways, (way) => way.from);
  const linesFor = (id: string) => Math.min(all.get(id)?.length ?? 0, WAYS_AT_MOST + 1);
  const diagram = lineDiagram(shape, (id) => HEAD + (linesFor(id) + 1) * LINE + GAP);
  const nameOf = new Map(stations.map(({ id, name }) => [id, name]));
  return {
    width: diagram.textX + WIDTH,
    height: diagram.height,
    x: diagram.x,
    textX: diagram.textX,
    paths: ways
      .filter((way) => diagram.paths.has(edgeKey(way.from, way.to)))
      .map((way) => ({ d: diagram.paths.get(edgeKey(way.from, way.to))!, weight: Math.min(weightOf(way), 2) }))
      .toSorted((a, b) => Math.min(a.weight, 1) - Math.min(b.weight, 1))
      .map(({ d, weight }) => ({ d, kind: weight < 0 ? "old" : `w${weight}` })),
    rows: stations.map((station) => {
      const taken = (from.get(station.id) ?? []).toSorted((a, b) => b.recent - a.recent);
      const shown = taken.slice(0, WAYS_AT_MOST).map((way) => ({
        to: oneLine(way.to === station.id ? "itself" : nameOf.get(way.to)!, WAY_ROOM),
        ...wayTexts(way, asked),
      }));
      const found = isFound(station);
      return {
        id: `${domId(station.id)}-row`,
        href: stationHref(station, asked),
        y: diagram.rows.get(station.id)!,
        kind: `${station.state}${found === null ? "" : found ? " hit" : " faint"}`,
        state: station.state,
        words: stateWords(station),
        name: oneLine(station.name, NAME_ROOM),
        word: WORDS[station.state],
        brief: station.brief,
        rate: rateText(station.rate, asked),
        boards: boardsText(station, asked),
        ways: shown.map((way, index) => ({ ...way, y: HEAD + (index + 1) * LINE - 6 })),
        more:
          taken.length > WAYS_AT_MOST
            ? { y: HEAD + (WAYS_AT_MOST + 1) * LINE - 6, count: taken.length - WAYS_AT_MOST }
            : null,
        endsY: HEAD + (Math.min(taken.length, WAYS_AT_MOST + 1) + 1) * LINE - 6,
        ends: endsOf(station, asked),
      };
    }),
  };
}
