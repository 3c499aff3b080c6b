import { createHash } from "node:crypto";
import { compact, count, duration, rate, share } from "../format.ts";
import { stopHref } from "../links.ts";
import type { MapWay, State } from "./answer.ts";
import type { Station } from "./grouping.ts";

export const WORDS: Readonly<Record<State, string>> = {
  down: "Down",
  held: "Held",
  failing: "Failing",
  paused: "Paused",
  lagging: "Lagging",
  running: "Running",
  idle: "Idle",
};

export const ENDS = [
  { kind: "dropped", label: "dropped" },
  { kind: "dead", label: "dead" },
  { kind: "later", label: "put off" },
] as const;

/** Where a map is shown, how it was asked for, and what is told beside it. */
export interface Asked {
  /** The path that the page is mounted at, "" or such as "/ops/bus". */
  readonly base: string;
  readonly group: string | undefined;
  readonly search: string | undefined;
  /** Dead letters that nobody has acted on; null: they can't be counted now. */
  readonly openLetters: number | null;
  /** The numbers are old: rates are not shown. */
  readonly stale: boolean;
}

/** The map's own address with another group open; null: none. What is searched for stays. */
export function mapHref({ base, search }: Asked, group: string | null): string {
  const query = new URLSearchParams({ ...(group !== null && { group }), ...(search && { search }) });
  return `${base}/${query.size > 0 ? `?${String(query)}` : ""}`;
}

export const isGroup = ({ id }: Station): boolean => id.startsWith("group:");

export function stationHref(station: Station, asked: Asked): string {
  return isGroup(station) ? mapHref(asked, station.name) : stopHref(asked.base, station.name);
}

/** For an element: stays with what it names, whatever that is made of. */
export const domId = (name: string): string => `map-${createHash("sha256").update(name).digest("hex").slice(0, 12)}`;

/** Messages a second, where there is little room. */
export function rateText(perSecond: number | null, { stale }: Asked): string {
  if (stale || perSecond === null) return "–";
  return perSecond < 1e4 ? rate(perSecond) : compact(perSecond);
}

export function wayTexts(way: MapWay, asked: Asked) {
  return {
    rate: rateText(way.rate, asked),
    share: way.share === null ? null : share(way.share, 1),
    p95: way.p95Ms === null ? null : timeText(way.p95Ms),
  };
}

/** Records have their time in whole milliseconds. */
const timeText = (ms: number): string => (ms < 1 ? "< 1 ms" : duration(ms));

/** A way in a sentence. */
export function wayWords(way: MapWay, from: string, to: string, asked: Asked): string {
  if (way.old) return `${from} to ${to}: none lately`;
  const { rate, share, p95 } = wayTexts(way, asked);
  const parts = [
    rate !== "–" && `${rate} a second`,
    share && `${share} of what it was done with lately`,
    p95 && `95 of 100 within ${p95}`,
  ];
  return `${from} to ${to}: ${parts.filter(Boolean).join(", ") || `${count(way.recent)} lately`}`;
}

/** How messages end at a station, or come again, if any did lately. */
export function endsOf(station: Station, asked: Asked) {
  return ENDS.flatMap(({ kind, label }, slot) => {
    const end = station[kind];
    if (end.recent === 0 && end.rate === 0) return [];
    const [part, now] = [share(end.share, 1), rateText(end.rate, asked)];
    return [
      { kind, label, slot, share: part, rate: now, words: `${capital(label)}: ${part} lately, ${now} a second now` },
    ];
  });
}

/** Messages that board at a station; null: none do. */
export const boardsText = ({ boards }: Station, asked: Asked): string | null =>
  boards === null ? null : rateText(Math.round(boards * 10) / 10, asked);

export const stateWords = (station: Station): string =>
  `${station.name}: ${WORDS[station.state].toLowerCase()}. ${station.words}`;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
