import { count } from "../format.ts";
import { view } from "../views.ts";
import { STATES, type MapStop, type Topology } from "./answer.ts";
import { drawLine } from "./draw-line.ts";
import { drawWide } from "./draw.ts";
import type { Station, Stations } from "./grouping.ts";
import type { Layout } from "./layout.ts";
import type { Shape } from "./shape.ts";
import { stopHref } from "../links.ts";
import { domId, endsOf, mapHref, rateText, wayTexts, WORDS, type Asked } from "./texts.ts";

/** So many of those that need attention have room in the line above the map; how many more there are is said. */
const ATTENTION_AT_MOST = 4;
const MATCHES_AT_MOST = 12;

const html = view<ReturnType<typeof mapView>>("map");

/** The map as HTML. */
export const showMap = (topology: Topology, shown: Stations, shape: Shape, layout: Layout, asked: Asked): string =>
  html(mapView(topology, shown, shape, layout, asked));

/** What `views/map.ejs` shows: texts, ready to be escaped. */
export function mapView(topology: Topology, shown: Stations, shape: Shape, layout: Layout, asked: Asked) {
  const search = asked.search?.trim() || null;
  const matches = search === null ? null : topology.stops.filter(({ stop }) => isMatch(stop, search));
  const isFound = (station: Station) => matches && station.stops.some((stop) => matches.includes(stop));
  const stopLink = (stop: MapStop) => ({
    id: domId(`link:${stop.stop}`),
    href: stopHref(asked.base, stop.stop),
    name: stop.stop,
    state: stop.state,
    word: WORDS[stop.state],
    words: stop.words,
  });
  const trouble = topology.stops
    .filter(({ state }) => state !== "running" && state !== "idle")
    .toSorted((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state));
  return {
    action: `${asked.base}/`,
    stale: asked.stale,
    isEmpty: topology.stops.length === 0,
    total: topology.stops.length === 1 ? "1 stop" : `${count(topology.stops.length)} stops`,
    states: STATES.map((state) => {
      const { length } = topology.stops.filter((stop) => stop.state === state);
      return { state, word: WORDS[state], count: count(length), none: length === 0 };
    }),
    isWell: trouble.length === 0 && !asked.openLetters && !asked.stale,
    attention: trouble.slice(0, ATTENTION_AT_MOST).map(stopLink),
    more: Math.max(0, trouble.length - ATTENTION_AT_MOST),
    letters: asked.openLetters ? lettersLink(asked.openLetters, asked) : null,
    search,
    group: shown.open,
    matches: matches && {
      count: matches.length === 1 ? "1 stop matches" : `${count(matches.length)} stops match`,
      stops: matches.slice(0, MATCHES_AT_MOST).map(stopLink),
      more: Math.max(0, matches.length - MATCHES_AT_MOST),
      clear: mapHref({ ...asked, search: undefined }, shown.open),
    },
    close: mapHref(asked, null),
    layout: layout.state,
    wide: drawWide(shown, layout, isFound, asked),
    line: drawLine(shown, shape, isFound, asked),
    table: shown.stations.map((station) => tableRow(station, shown, asked)),
  };
}

const lettersLink = (open: number, { base }: Asked) => ({
  href: `${base}/letters`,
  text: open === 1 ? "1 dead letter is open" : `${count(open)} dead letters are open`,
});

const isMatch = (stop: string, search: string): boolean => stop.toLowerCase().includes(search.toLowerCase());

/** The same for who can't see the map. */
function tableRow(station: Station, { stations, ways }: Stations, asked: Asked) {
  const ahead = ways.filter(({ from, old }) => from === station.id && !old);
  return {
    name: station.name,
    state: WORDS[station.state],
    words: station.words,
    rate: rateText(station.rate, asked),
    processed: count(station.processed),
    waiting: station.waiting === null ? "–" : count(station.waiting),
    ways: ahead.map((way) => ({ to: stations.find(({ id }) => id === way.to)!.name, ...wayTexts(way, asked) })),
    ends: endsOf(station, asked).map(({ words }) => words),
  };
}
