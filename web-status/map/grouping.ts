import { compact, count } from "../format.ts";
import { STATES, type End, type MapStop, type MapWay, type Topology } from "./answer.ts";
import { groupsByName } from "./name-groups.ts";
import { inTravelOrder } from "./ways.ts";

/** What the map shows as one: a stop, or a group of them. */
export interface Station extends Omit<MapStop, "stop"> {
  /** Stays the same for as long as it is there; no stop's is that of a group. */
  readonly id: string;
  readonly name: string;
  /** More than one: it is a group. */
  readonly stops: readonly MapStop[];
}

/** What the map shows of a topology. */
export interface Stations {
  /** In the order in which messages visit them. */
  readonly stations: readonly Station[];
  /** From id to id. */
  readonly ways: readonly MapWay[];
  /** The group that is open; null: none is. */
  readonly open: string | null;
}

/** More stops can't be told apart on one screen. */
const GROUP_ABOVE = 40;

/** Above `GROUP_ABOVE` stops those with names that begin alike are one station, but for the group `open`. */
export function grouped({ stops, ways }: Topology, open: string | undefined, above = GROUP_ABOVE): Stations {
  const groups =
    stops.length > above
      ? groupsByName(
          stops.map(({ stop }) => stop),
          above,
        )
      : new Map<string, string>();
  const isOpen = open !== undefined && [...groups.values()].includes(open);
  const members = Map.groupBy(stops, ({ stop }) => {
    const group = groups.get(stop);
    return group === undefined || group === open ? `stop:${stop}` : `group:${group}`;
  });
  const idOf = new Map([...members].flatMap(([id, of]) => of.map(({ stop }) => [stop, id] as const)));
  const between = waysBetween(ways, idOf);
  const isEntrance = (id: string) => members.get(id)!.some(({ boards }) => boards !== null);
  const stationOf = (id: string, of: readonly MapStop[]) =>
    id.startsWith("stop:") ? alone(id, of[0]!) : together(id, of);
  return {
    stations: inTravelOrder(members.keys(), between, isEntrance).map((id) => stationOf(id, members.get(id)!)),
    ways: between,
    open: isOpen ? open : null,
  };
}

function alone(id: string, stop: MapStop): Station {
  return { ...stop, id, name: stop.stop, stops: [stop] };
}

function together(id: string, stops: readonly MapStop[]): Station {
  const worst = stops.reduce((a, b) => (STATES.indexOf(b.state) < STATES.indexOf(a.state) ? b : a));
  const alike = stops.filter(({ state }) => state === worst.state).length;
  const isCalm = worst.state === "running" || worst.state === "idle";
  const total = (of: (stop: MapStop) => number) => stops.reduce((sum, stop) => sum + of(stop), 0);
  const end = (of: (stop: MapStop) => End, weight: (stop: MapStop) => number): End => {
    const all = total(weight);
    const share = all > 0 ? total((stop) => of(stop).share * weight(stop)) / all : 0;
    return { rate: total((stop) => of(stop).rate), recent: total((stop) => of(stop).recent), share };
  };
  const done = ({ recent }: MapStop) => recent;
  const boards = stops.flatMap((stop) => stop.boards ?? []);
  const waits = stops.flatMap(({ waiting }) => waiting ?? []);
  return {
    id,
    name: id.slice("group:".length),
    stops,
    state: worst.state,
    brief: `${alike === stops.length ? "" : `${compact(alike)} of `}${compact(stops.length)} stops`,
    words: `${count(alike)} of ${count(stops.length)} stops${isCalm ? "" : `, such as ${worst.stop}: ${worst.words}`}`,
    rate: total((stop) => stop.rate),
    processed: total((stop) => stop.processed),
    recent: total(done),
    waiting: waits.length > 0 ? waits.reduce((sum, each) => sum + each, 0) : null,
    instances: Math.max(...stops.map(({ instances }) => instances)),
    dropped: end((stop) => stop.dropped, done),
    dead: end((stop) => stop.dead, done),
    later: end(
      (stop) => stop.later,
      (stop) => stop.recent + stop.later.recent,
    ),
    boards: boards.length > 0 ? boards.reduce((sum, each) => sum + each, 0) : null,
  };
}

/** Those within a group are not shown. A group's share is left out: a message may pass several stops of it. */
function waysBetween(ways: readonly MapWay[], idOf: ReadonlyMap<string, string>): MapWay[] {
  const between = new Map<string, MapWay>();
  for (const way of ways) {
    const [from, to] = [idOf.get(way.from)!, idOf.get(way.to)!];
    const isWithin = from === to && way.from !== way.to;
    if (isWithin || (from === to && from.startsWith("group:"))) continue;
    const key = JSON.stringify([from, to]);
    const others = between.get(key);
    between.set(
      key,
      others ? both(others, way) : { ...way, from, to, share: from.startsWith("stop:") ? way.share : null },
    );
  }
  return [...between.values()];
}

function both(a: MapWay, b: MapWay): MapWay {
  const most = (x: number | null, y: number | null) => (x === null || y === null ? (x ?? y) : Math.max(x, y));
  const sum = (x: number | null, y: number | null) => (x === null || y === null ? (x ?? y) : x + y);
  return {
    ...a,
    rate: sum(a.rate, b.rate),
    recent: a.recent + b.recent,
    share: a.share === null ? null : sum(a.share, b.share),
    p95Ms: most(a.p95Ms, b.p95Ms),
    old: a.old && b.old,
  };
}
