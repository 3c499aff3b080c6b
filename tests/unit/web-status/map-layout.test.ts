import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { mapLayout, type MapLayout } from "../../../web-status/map/layout.ts";
import { layoutThread } from "../../../web-status/map/layout-thread.ts";
import { complete, LABEL, NOWHERE, STATION, type Placed, type Point } from "../../../web-status/map/placed.ts";
import { edgeKey, type Shape } from "../../../web-status/map/shape.ts";
import { eventually } from "../../support/probe.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(() => Promise.all(open.splice(0).map((each) => each.close())));
const opened = <T extends { close(): Promise<void> }>(it: T): T => (open.push(it), it);

function shape(nodes: readonly string[], edges: Shape["edges"]): Shape {
  return { key: JSON.stringify([nodes, edges]), nodes, edges };
}

/** Lines of ten stations, some of which fork, meet and go back. */
function network(size: number): Shape {
  const nodes = Array.from({ length: size }, (_, n) => `stop:S${n}`);
  const edges = nodes.flatMap((_, n): [string, string][] => {
    const ways = n % 10 === 9 ? [] : [n + 1];
    if (n % 7 === 0) ways.push(n + 12);
    if (n % 23 === 22) ways.push(n - 5);
    if (n % 31 === 30) ways.push(n);
    return ways.filter((to) => to < size).map((to) => [`stop:S${n}`, `stop:S${to}`]);
  });
  return shape(nodes, edges);
}

const overlap = (a: Point, b: Point, { width, height } = STATION) =>
  Math.abs(a.x - b.x) < width && Math.abs(a.y - b.y) < height;

/** Everything has its place, no station covers another, and lines go from one station's side to the other's, at right angles. */
function expectGood({ nodes, edges, width, height }: Placed, { nodes: ids, edges: ways }: Shape): void {
  expect([...nodes.keys()].toSorted()).toEqual([...ids].toSorted());
  const places = [...nodes.values()];
  for (const [index, place] of places.entries()) {
    expect(places.slice(index + 1).filter((other) => overlap(place, other))).toEqual([]);
    expect(place.x >= 0 && place.y >= 0 && place.x + STATION.width <= width && place.y + STATION.height <= height).toBe(
      true,
    );
  }
  for (const [from, to] of ways) {
    const { points } = edges.get(edgeKey(from, to))!;
    const [start, end] = [nodes.get(from)!, nodes.get(to)!];
    expect(points[0]).toEqual({ x: start.x + STATION.width, y: start.y + STATION.lineY });
    expect(points.at(-1)).toEqual({ x: end.x, y: end.y + STATION.lineY });
    const isStraight = points.every(
      (point, n) => n === 0 || point.x === points[n - 1]!.x || point.y === points[n - 1]!.y,
    );
    expect(isStraight).toBe(true);
  }
}

describe.each([1, 5, 40, 200, 500])("a map of %i stations", (size) => {
  test("is laid out so that nothing covers anything", async () => {
    const it = network(size);
    const placed = await opened(layoutThread(60_000)).layout(it);
    expectGood(placed, it);
    const labels = it.edges.flatMap(([from, to]) => placed.edges.get(edgeKey(from, to))!.label ?? []);
    expect(labels.length > 0).toBe(it.edges.length > 0 && it.edges.length <= 60);
    for (const [index, label] of labels.entries()) {
      expect(labels.slice(index + 1).filter((other) => overlap(label, other, LABEL as never))).toEqual([]);
      expect([...placed.nodes.values()].filter((place) => isOver(label, place))).toEqual([]);
    }
  });
});

const isOver = (label: Point, place: Point): boolean =>
  label.x < place.x + STATION.width &&
  place.x < label.x + LABEL.width &&
  label.y < place.y + STATION.height &&
  place.y < label.y + LABEL.height;

const logged: unknown[] = [];
const log = { warn: (...told: unknown[]) => void logged.push(told) } as unknown as Parameters<typeof mapLayout>[0];
const states = (map: MapLayout, of: Shape) => map.of(of, "").state;

test("the first layout is waited for; then it is there at once, and stays", async () => {
  const map = opened(mapLayout(log));
  const it = network(5);
  expect(states(map, it)).toBe("pending");
  expectGridOf(map.of(it, "").placed, it);
  await eventually(async () => (await map.ready(it, ""), states(map, it) === "done"));
  const first = map.of(it, "").placed;
  expectGood(first, it);
  expect(map.of({ ...it, nodes: [...it.nodes] }, "").placed).toBe(first);
});

test("a layout that takes too long for who opens a page is not waited for", async () => {
  const map = opened(mapLayout(log));
  const it = network(500);
  const first = await Promise.race([map.ready(it, "").then(() => "the page"), turn("the layout")]);
  expect(first).toBe("the page");
  expectGridOf(map.of(it, "").placed, it);
});

test("while a new layout is worked out what is known keeps its place, and what is new stands at the side", async () => {
  const map = opened(mapLayout(log));
  const before = network(5);
  await eventually(async () => (await map.ready(before, ""), states(map, before) === "done"));
  const { placed } = map.of(before, "");
  const after = shape([...before.nodes.slice(1), "stop:New"], [...before.edges.slice(1), ["stop:S4", "stop:New"]]);
  const meanwhile = map.of(after, "");
  expect(meanwhile.state).toBe("pending");
  await map.ready(after, "");
  for (const id of before.nodes.slice(1)) expect(meanwhile.placed.nodes.get(id)).toEqual(placed.nodes.get(id));
  expect(meanwhile.placed.nodes.get("stop:New")!.x).toBeGreaterThanOrEqual(placed.width - STATION.width);
  expect(meanwhile.placed.nodes.has("stop:S0")).toBe(false);
  await eventually(() => states(map, after) === "done");
  expectGood(map.of(after, "").placed, after);
});

test("a layout that takes too long is given up, told of once, and the next one is tried", async () => {
  const map = opened(mapLayout(log, 1));
  logged.length = 0;
  const [it, next] = [network(500), network(6)];
  await eventually(() => states(map, it) !== "pending");
  expect(map.of(it, "")).toMatchObject({ state: "given up" });
  expectGridOf(map.of(it, "").placed, it);
  expect(logged).toMatchObject([[{ err: { message: "no layout within 1 ms" }, stations: 500 }, expect.any(String)]]);
  await eventually(() => states(map, next) !== "pending");
});

test("a thread that has been given up is replaced by another", async () => {
  const thread = opened(layoutThread(60_000));
  const broken = shape(["a"], [["a", "nothing"]]);
  await expect(thread.layout(broken)).rejects.toThrow();
  const it = network(3);
  expectGood(await thread.layout(it), it);
});

test("close ends the thread, and who waits for a layout gets a grid", async () => {
  const map = mapLayout(log);
  const it = network(200);
  const ready = map.ready(it, "");
  await turn();
  await map.close();
  await ready;
  expectGridOf(map.of(it, "").placed, it);
});

test("a thousand shapes of a view are no thousand layouts: only the newest is worked out", async () => {
  const map = opened(mapLayout(log));
  const all = Array.from({ length: 1_000 }, (_, n) => network(n + 2));
  for (const each of all) map.of(each, "");
  const newest = network(8);
  await eventually(() => states(map, newest) === "done");
  expect(all.slice(1, -1).filter((each) => each.nodes.length !== 8 && states(map, each) === "done")).toEqual([]);
});

function expectGridOf(placed: Placed, { nodes, edges }: Shape): void {
  expect([...placed.nodes.keys()]).toEqual(nodes);
  const places = [...placed.nodes.values()];
  expect(places.filter((place, n) => places.slice(n + 1).some((other) => overlap(place, other)))).toEqual([]);
  expect(placed.edges.size).toBe(edges.length);
}

test("a grid holds what has no place, in order, column by column", () => {
  const it = network(12);
  const grid = complete(NOWHERE, it);
  expectGridOf(grid, it);
  expect(grid.nodes.get("stop:S0")!.y).toBeLessThan(grid.nodes.get("stop:S1")!.y);
  expect(complete(grid, it)).toEqual(grid);
});
