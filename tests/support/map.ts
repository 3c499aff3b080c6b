import type { MapStop, MapWay, Topology } from "../../web-status/map/answer.ts";

/** A map as the page draws it, of stops that are well. */

const none = { rate: 0, recent: 0, share: 0 };
export const stop = (name: string, facts: Partial<MapStop> = {}): MapStop => ({
  stop: name,
  state: "running",
  brief: "2 processes",
  words: "2 processes; nothing waits.",
  rate: 12.5,
  processed: 1_234,
  recent: 100,
  waiting: 0,
  instances: 2,
  dropped: none,
  dead: none,
  later: none,
  boards: null,
  ...facts,
});
export const way = (from: string, to: string, facts: Partial<MapWay> = {}): MapWay => ({
  from,
  to,
  rate: 12.5,
  recent: 90,
  share: 0.9,
  p95Ms: 3.4,
  old: false,
  ...facts,
});
export const map = (stops: MapStop[], ways: MapWay[] = []): Topology => ({ at: 1, since: 0, stops, ways });
