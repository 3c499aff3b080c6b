import { AxeBuilder } from "@axe-core/playwright";
import { connect, type MetroBus } from "metrobus";
import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Count, From, StatsStore } from "../../runtime/stats-store.ts";
import { startWeb, type Web } from "../../web-status/server.ts";
import { launchChromium } from "../support/chromium.ts";
import { eventually } from "../support/probe.ts";
import { visitors } from "../support/visitors.ts";

const browser = await launchChromium();
const looks = [400, 1000, 1900].flatMap((width) => (["light", "dark"] as const).map((theme) => ({ width, theme })));

afterAll(() => browser?.close());

let sequence = 0;
async function write(
  stats: StatsStore,
  stop: string,
  counts: readonly Count[],
  from: readonly From[] = [],
): Promise<void> {
  const times = { worked: { 30: 90 }, waited: { 50: 100 }, from };
  const stops = [{ stop, counts, ...times, lastSeen: Date.now(), gaps: 0 }];
  await stats.write({ instance: "test", sequence: ++sequence, coversMs: 250, stops });
}

const forwarded = (detail: string, count: number): Count => ({ outcome: "forwarded", detail, count });
const cameFrom = (stop: string, count: number): From => ({ stop, waited: { 48: count } });

async function writeShop(stats: StatsStore): Promise<void> {
  await write(stats, "Source", [forwarded("WhiteList", 100), forwarded("Log", 20)], [cameFrom("", 120)]);
  const ends: Count[] = [
    { outcome: "dropped", detail: "not on the white list", count: 30 },
    { outcome: "dead", detail: "ECONNREFUSED", count: 20 },
  ];
  await write(stats, "WhiteList", [forwarded("Log", 50), ...ends], [cameFrom("Source", 100)]);
  await write(stats, "Log", [{ outcome: "arrived", detail: "", count: 70 }], [cameFrom("WhiteList", 50)]);
}

/** Lines of ten stops, of which one each ends in dead letters. */
async function writeCrowd(stats: StatsStore): Promise<void> {
  for (let n = 0; n < 200; n++) {
    const name = (of: number) => `${["pay", "mail", "stock", "geo"][of % 4]}-${of}`;
    const dead: Count = { outcome: "dead", detail: "ECONNREFUSED", count: n % 10 === 9 ? 50 : 0 };
    await write(stats, name(n), [...(n % 10 < 9 ? [forwarded(name(n + 1), 100)] : []), dead]);
  }
}

async function writeHostile(stats: StatsStore): Promise<void> {
  const names = [
    "<script>alert(1)</script>",
    `"'></title>`,
    "__proto__",
    "n".repeat(249),
    "\u202eمرحبا",
    "支払い照合サービス",
  ];
  for (const [n, name] of names.entries()) await write(stats, name, [forwarded(names[n + 1] ?? names[0]!, 10)]);
}

const SCALE = `(() => {
  const svg = document.querySelector("#map-svg");
  return svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
})()`;
const PLACES = `[...document.querySelectorAll(".map-wide .station")].map((each) => [each.id, each.getAttribute("transform")])`;
const SCROLLED = `document.querySelector("#map-scroll").scrollLeft`;

describe.skipIf(!browser)("the map in Chromium (needs a browser: set CHROMIUM_PATH)", () => {
  const settings = { METROBUS_BUS: "memory", PORT: "0", LOG_LEVEL: "silent" } as const;
  let bus: MetroBus;
  let web: Web;
  const { complaints, open, leave } = visitors(browser!);

  beforeEach(async () => {
    bus = await connect(settings);
    web = await startWeb({ settings, bus });
  });
  afterEach(async () => {
    await leave();
    await web.close();
    await bus.close();
    expect(complaints.splice(0)).toEqual([]);
  });

  const openMap = (options: BrowserContextOptions = {}, path = "/") =>
    open(web.url + path, { viewport: { width: 1000, height: 800 }, ...options });
  const station = (page: Page, name: string) => page.locator(".map-wide").getByRole("link", { name: `${name}:` });
  const live = (page: Page) => page.locator("#connection[data-state=live]").waitFor();
  const laidOut = (page: Page) =>
    eventually(async () => (await page.getByText("The map is being laid out").count()) === 0);
  const scaleOf = (page: Page) => page.evaluate<number>(SCALE);
  const placesOf = (page: Page) => page.evaluate<[id: string, place: string][]>(PLACES);
  const scrolled = (page: Page) => page.evaluate<number>(SCROLLED);

  const states = { shop: writeShop, crowd: writeCrowd, hostile: writeHostile, empty: async () => undefined };
  describe.for(Object.entries(states))("with %s", ([, prepare]) => {
    test.for(looks)("$width px, $theme: nothing for axe to find, nothing beyond the edge", async ({ width, theme }) => {
      await prepare(bus.stats);
      const page = await openMap({ viewport: { width, height: 900 }, colorScheme: theme });
      await live(page);
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => [id, nodes[0]!.html])).toEqual([]);
      const beyond = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(beyond).toBeLessThanOrEqual(0);
    });
  });

  test("numbers change where they are; what is zoomed, scrolled and focused stays", async () => {
    await writeShop(bus.stats);
    const page = await openMap();
    await live(page);
    await page.locator("#map-svg .num").first().waitFor();
    await page.locator("#map-scroll").focus();
    for (let n = 0; n < 5; n++) await page.keyboard.press("+");
    await page.keyboard.press("ArrowRight");
    const scale = await scaleOf(page);
    expect(scale).toBeGreaterThan(2);
    await station(page, "WhiteList").focus();
    const before = [await placesOf(page), await scrolled(page)];
    expect(before[1]).toBeGreaterThan(0);
    await writeShop(bus.stats);
    await page.locator(".map-wide").getByText("40 /s").first().waitFor();
    expect(await scaleOf(page)).toBeCloseTo(scale);
    expect([await placesOf(page), await scrolled(page)]).toEqual(before);
    expect(await page.evaluate("document.activeElement.getAttribute('href')")).toBe("/stops/WhiteList");
    await page.keyboard.press("0");
    expect(await scaleOf(page)).toBeCloseTo(1);
  });

  test("a stop that fails is seen, and the way to it is one key away", async () => {
    await writeShop(bus.stats);
    const page = await openMap();
    await live(page);
    const failing = station(page, "WhiteList");
    expect(await failing.locator("title").first().textContent()).toMatch(
      /^WhiteList: failing\. 20\.0 % of its messages become dead letters/,
    );
    await page.locator("#map-attention a").first().focus();
    await page.keyboard.press("Enter");
    await page.waitForURL("**/stops/WhiteList");
  });

  test("new stops appear on the map, and it is laid out anew", async () => {
    await writeShop(bus.stats);
    const page = await openMap();
    await live(page);
    await write(bus.stats, "Log", [forwarded("Archive", 10)]);
    await station(page, "Archive").waitFor();
    await laidOut(page);
    const places = Object.fromEntries(await placesOf(page));
    expect(new Set(Object.values(places)).size).toBe(4);
  });

  test("by mouse: Ctrl and the wheel zoom in on what is pointed at, and the map can be dragged without following a link", async () => {
    await writeCrowd(bus.stats);
    const page = await openMap({}, "/?group=pay");
    await live(page);
    await laidOut(page);
    const card = page.locator(".map-wide .at-failing").first();
    const box = (await card.boundingBox())!;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -200);
    await page.keyboard.up("Control");
    await eventually(async () => (await scaleOf(page)) > 1);
    const zoomed = (await card.boundingBox())!;
    expect(x >= zoomed.x && x <= zoomed.x + zoomed.width && y >= zoomed.y && y <= zoomed.y + zoomed.height).toBe(true);
    await page.mouse.down();
    await page.mouse.move(x - 200, y - 100, { steps: 5 });
    await page.mouse.up();
    const moved = (await card.boundingBox())!;
    expect(moved.x).toBeLessThan(zoomed.x - 100);
    expect(page.url()).toContain("/?group=pay");
    await page.getByRole("button", { name: "Natural size" }).click();
    expect(await scaleOf(page)).toBeCloseTo(1);
  });

  test("without script everything is there: groups that open, search, links, and a map that scrolls", async () => {
    await writeCrowd(bus.stats);
    const page = await openMap({ javaScriptEnabled: false });
    expect(await page.locator(".map-wide .station").count()).toBe(4);
    expect(await page.getByRole("button", { name: "Natural size" }).isVisible()).toBe(false);
    await page.locator(".map-wide .station", { hasText: "stock" }).click();
    expect(await page.locator(".map-wide .station").count()).toBe(53);
    await page.getByRole("searchbox").fill("-19");
    await page.getByRole("button", { name: "Find" }).click();
    expect(new URL(page.url()).search).toBe("?group=stock&search=-19");
    await page.locator("#map-matches").getByText("geo-19", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Close it" }).click();
    expect(new URL(page.url()).search).toBe("?search=-19");
    await page.setViewportSize({ width: 400, height: 800 });
    expect(await page.locator(".map-line .station:visible").count()).toBe(4);
    expect(await page.locator(".map-wide .station:visible").count()).toBe(0);
  });
});
