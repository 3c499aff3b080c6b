import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MapStop, MapWay, Topology } from "../../../web-status/map/answer.ts";
import { rounded, weightOf } from "../../../web-status/map/draw.ts";
import { oneLine, twoLines } from "../../../web-status/map/fit.ts";
import { lineDiagram } from "../../../web-status/map/line.ts";
import { routeMap, type RouteMap } from "../../../web-status/map/map.ts";
import { edgeKey } from "../../../web-status/map/shape.ts";
import type { Asked } from "../../../web-status/map/texts.ts";
import { map, stop, way } from "../../support/map.ts";
import { eventually } from "../../support/probe.ts";

const ASKED: Asked = { base: "", group: undefined, search: undefined, openLetters: 0, stale: false };

let drawing: RouteMap;
beforeAll(() => void (drawing = routeMap({ warn: () => undefined } as never)));
afterAll(() => drawing.close());
const html = (topology: Topology, asked: Partial<Asked> = {}) => drawing.show(topology, { ...ASKED, ...asked });

const laidOut = (topology: Topology) =>
  eventually(async () => {
    await drawing.ready(topology, undefined);
    return !html(topology).includes("being laid out");
  });

const shop = (facts: Partial<MapStop> = {}, ofWay: Partial<MapWay> = {}) =>
  map(
    [stop("Source", { boards: 13.9 }), stop("WhiteList", facts), stop("Log")],
    [way("Source", "WhiteList", ofWay), way("WhiteList", "Log")],
  );

test("a stop shows its state by shape, word and reason, its rate, and how messages end there; a line its rate, share and p95", async () => {
  await laidOut(shop());
  const shown = html(
    shop({
      state: "failing",
      brief: "10.0 % dead",
      words: "10.0 % of its messages become dead letters lately.",
      dropped: { rate: 1.2, recent: 10, share: 0.1 },
      dead: { rate: 0.4, recent: 3, share: 0.03 },
    }),
  );
  expect(shown).toContain("<title>WhiteList: failing. 10.0 % of its messages become dead letters lately.</title>");
  expect(shown).toContain(`<use class="mark" href="#map-failing"`);
  expect(shown).toMatch(/class="word"[^>]*>Failing<.*>12\.5 \/s<.*>10\.0 % dead</);
  expect(shown).toMatch(/end-dropped"><title>Dropped: 10\.0 % lately, 1\.2 a second now</);
  expect(shown).toMatch(/end-dead"><title>Dead: 3\.0 % lately, 0\.4 a second now</);
  expect(shown).toMatch(/>12\.5 \/s<\/text><text[^>]*>90\.0 %<\/text><text[^>]*>p95 3\.4 ms</);
  expect(shown).toContain("boards 13.9 /s");
  expect(shown).toContain(
    "<title>Source to WhiteList: 12.5 a second, 90.0 % of what it was done with lately, 95 of 100 within 3.4 ms</title>",
  );
});

test("the table says the same in words", () => {
  const table = html(shop()).split("<table>")[1]!;
  expect(table).toMatch(
    /<th scope="row"><bdi>WhiteList<\/bdi><\/th><td>Running: 2 processes; nothing waits\.<\/td><td>12\.5<\/td><td>1,234<\/td>/,
  );
  expect(table).toMatch(/to <bdi>Log<\/bdi>: 12\.5 a second, 90\.0 %, p95 3\.4 ms/);
});

const PLACES = /(?:transform|width|height|viewBox|\sx|\sy|\sd)="[^"]*"/g;
const mapOf = (shown: string) => shown.slice(shown.indexOf('<div class="map-wide'));
const idsOf = (shown: string) => shown.match(/\sid="[^"]*"/g);

test("nothing moves when numbers change, and everything keeps its name", async () => {
  await laidOut(shop());
  const before = html(shop());
  const after = html(
    shop({ rate: 123_456, brief: "1.2M wait, 3.0 h", state: "lagging" }, { rate: 99_999, p95Ms: 9e7 }),
  );
  expect(after).not.toBe(before);
  expect(mapOf(after).match(PLACES)).toEqual(mapOf(before).match(PLACES));
  expect(idsOf(mapOf(after))).toEqual(idsOf(mapOf(before)));
});

const RTL = "\u202eمرحبا-بالعالم";
const HOSTILE = [
  "<script>alert(1)</script>",
  `"'><img onerror=x>`,
  "__proto__",
  "constructor",
  "n".repeat(249),
  RTL,
  "\ud800",
  "a/b?c#d",
  "",
];

test("whatever names are made of is text, and in links it is one part of a path", () => {
  const stops = HOSTILE.map((name) => stop(name, { state: "down", words: `${name} is down` }));
  const ways = HOSTILE.slice(1).map((name) => way(HOSTILE[0]!, name));
  const shown = html(map(stops, ways), { base: "/ops", search: `"><script>` });
  expect(shown).not.toMatch(/<script|<img/);
  expect(shown.replaceAll(/"[^"]*"/g, '""')).not.toMatch(/<[^>]*\s(style|on\w+)=/);
  expect(shown).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
  expect(shown).toContain(`href="/ops/stops/%3Cscript%3Ealert(1)%3C%2Fscript%3E"`);
  expect(shown).toContain(`href="/ops/stops/a%2Fb%3Fc%23d"`);
  expect(shown).toContain(`href="/ops/stops/__proto__"`);
  const ids = idsOf(shown)!;
  expect(new Set(ids).size).toBe(ids.length);
});

describe("many stops", () => {
  const many = map(
    ["pay", "mail", "stock"].flatMap((group) => Array.from({ length: 20 }, (_, n) => stop(`${group}-${n}`))),
    [way("pay-1", "mail-1")],
  );

  test("are in groups, which are links that open them and keep what is searched for", () => {
    const shown = html(many, { base: "/ops", search: "mail-1" });
    expect(shown).toContain(`href="/ops/?group=pay&amp;search=mail-1"`);
    expect(shown).toContain("11 stops match “<bdi>mail-1</bdi>”:");
    expect(shown.match(/class="station at-running group hit"/g)).toHaveLength(1);
    expect(shown.match(/class="station at-running group faint"/g)).toHaveLength(2);
  });

  test("of an open group are shown each for itself", () => {
    const shown = html(many, { group: "pay" });
    expect(shown).toContain(`href="/stops/pay-19"`);
    expect(shown).toContain(`<a href="/">Close it</a>`);
    expect(shown).toContain(`<input type="hidden" name="group" value="pay">`);
  });
});

test("what needs attention stands above the map, worst first", () => {
  const stops = (["lagging", "paused", "failing", "down", "running", "held"] as const).map((state) =>
    stop(state, { state }),
  );
  const attention = html(map(stops)).split(`id="map-attention"`)[1]!.split("</p>")[0]!;
  expect([...attention.matchAll(/<bdi>(\w+)</g)].map(([, name]) => name)).toEqual([
    "down",
    "held",
    "failing",
    "paused",
  ]);
  expect(attention).toContain("and 1 more");
  expect(html(shop())).toContain("Nothing needs attention.");
  const withLetters = html(shop(), { openLetters: 1_494 });
  expect(withLetters).toMatch(/href="\/letters">1,494 dead letters are open</);
  expect(withLetters).not.toContain("Nothing needs attention.");
});

test("old numbers are no rates", () => {
  const shown = html(shop(), { stale: true });
  expect(shown).toContain(`<section class="map stale"`);
  expect(shown).not.toMatch(/12\.5 (\/s|a second)/);
});

test("without stops the page says what will be here", () => {
  const shown = html(map([]));
  expect(shown).toContain("No stop is known yet");
  expect(shown).not.toContain("map-scroll");
});

test("a name has two lines, broken where its parts meet; of a longer one the middle is left out", () => {
  expect(twoLines("WhiteList", 15)).toEqual(["WhiteList"]);
  expect(twoLines("billing-charge-card", 15)).toEqual(["billing-charge-", "card"]);
  expect(twoLines("PaymentService", 10)).toEqual(["Payment", "Service"]);
  expect(twoLines("shop.billing.invoices.europe.west", 12)).toEqual(["shop.billing", ".invoi….west"]);
  expect(twoLines("支払い照合サービス", 10)).toEqual(["支払い照合", "サービス"]);
  expect(oneLine("👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 4)).toMatch(/…/);
  expect(oneLine("x".repeat(1_000), 20).length).toBe(20);
});

test("a line is wider the more goes along it, in steps", () => {
  const widths = [0, 0.2, 1, 12, 123, 1_234].map((rate) => weightOf(way("A", "B", { rate })));
  expect(widths).toEqual([0, 1, 2, 3, 4, 5]);
  expect(weightOf(way("A", "B", { rate: null }))).toBe(1);
  expect(weightOf(way("A", "B", { old: true }))).toBe(-1);
});

test("corners are round, and never rounder than there is room", () => {
  const points = [
    { x: 0, y: 0 },
    { x: 50, y: 0 },
    { x: 50, y: 10 },
    { x: 100, y: 10 },
  ];
  expect(rounded(points)).toBe("M0 0L45 0Q50 0 50 5L50 5Q50 10 55 10L100 10");
});

test("on narrow screens lines pass beside the stations that they do not stop at", () => {
  const edges = [
    ["A", "B"],
    ["A", "C"],
    ["B", "C"],
    ["C", "A"],
    ["B", "B"],
  ] as const;
  const { rows, paths, x } = lineDiagram({ key: "", nodes: ["A", "B", "C"], edges }, () => 100);
  expect([...rows]).toEqual([
    ["A", 0],
    ["B", 100],
    ["C", 200],
  ]);
  expect(paths.get(edgeKey("A", "B"))).toBe(`M${x} 30V106`);
  expect(paths.has(edgeKey("B", "B"))).toBe(false);
  const lanes = [edgeKey("A", "C"), edgeKey("C", "A")].map((key) => Number(/Q([\d.]+)/.exec(paths.get(key)!)![1]));
  expect(lanes.every((lane) => lane < x - 12)).toBe(true);
  expect(lanes[0]).not.toBe(lanes[1]);
});
