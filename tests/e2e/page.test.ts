import { AxeBuilder } from "@axe-core/playwright";
import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { connect, type MetroBus } from "metrobus";
import type { Count, StatsStore } from "../../runtime/stats-store.ts";
import { startWeb, type Web } from "../../web-status/server.ts";
import { launchChromium } from "../support/chromium.ts";
import { freePort, hasDocker } from "../support/docker.ts";
import { eventually } from "../support/probe.ts";
import { startRedis } from "../support/redis.ts";
import { visitors } from "../support/visitors.ts";

const browser = await launchChromium();
const docker = await hasDocker();
const looks = [400, 1400].flatMap((width) => (["light", "dark"] as const).map((theme) => ({ width, theme })));
const HOSTILE = `<script>alert("1")</script>'"&amp;`;
/** Names that every object has. */
const BUILT_IN = ["__proto__", "constructor", "toString"];

afterAll(() => browser?.close());

let sequence = 0;
async function write(stats: StatsStore, stop: string, counts: readonly Count[], gaps = 0): Promise<void> {
  const times = { worked: { 30: 90, 44: 10 }, waited: { 50: 100 }, from: [] };
  const stops = [{ stop, counts, ...times, lastSeen: Date.now(), gaps }];
  await stats.write({ instance: "test", sequence: ++sequence, coversMs: 250, stops });
}

async function writeDemo(stats: StatsStore): Promise<void> {
  const count = (outcome: Count["outcome"], detail: string, times: number) => ({ outcome, detail, count: times });
  await write(stats, "Log", [count("arrived", "", 166)]);
  await write(stats, "WhiteList", [count("forwarded", "Log", 166), count("dropped", "not on the white list", 167)], 12);
  await write(stats, "AddEmail", [count("forwarded", "WhiteList", 333), count("dropped", "no such account", 667)]);
  await write(stats, "Source", [count("forwarded", "AddEmail", 1_000), count("dead", 'unknown type "XYZ"', 3)]);
}

async function writeHostile(stats: StatsStore): Promise<void> {
  const reasons = [
    "x".repeat(1_000),
    "\u202egnol si siht",
    "🚌🚇",
    HOSTILE,
    "</bdi></li>",
    ...BUILT_IN,
    ...Array.from({ length: 20 }, (_, n) => `reason ${n}`),
  ];
  const counts = reasons.map((detail, n) => ({ outcome: "dropped" as const, detail, count: 10 ** 11 - n }));
  for (const name of [HOSTILE, "y".repeat(1_000), "\u202ertl \u2066", "🚌", ...BUILT_IN])
    await write(stats, name, counts);
}

/** Long names and reasons of words, and the longest numbers that are shown in full. */
async function writeCrowd(stats: StatsStore): Promise<void> {
  const reason = "no account with the number that the message names ".repeat(6).slice(0, 256);
  for (let n = 1; n <= 60; n++) {
    const counts = (["dropped", "dead", "forwarded"] as const).map((outcome) => ({
      outcome,
      detail: outcome === "forwarded" ? `Stop-${n + 1}` : reason,
      count: 3_333_333_333,
    }));
    await write(stats, n === 3 ? "long.topic-name_".repeat(16).slice(0, 249) : `Stop-${n}`, counts, 9_999_999_999);
  }
}

/** Numbers that are broken in two or reach beyond their card. */
const MISPLACED = `[...document.querySelectorAll("dd, .count, .times")]
  .filter((element) => {
    const card = element.closest(".totals div, .stop")?.getBoundingClientRect();
    const text = document.createRange();
    text.selectNodeContents(element);
    const number = document.createRange();
    number.selectNode(element.firstChild);
    const lines = new Set([...number.getClientRects()].map(({ top }) => top));
    return card && (lines.size > 1 || text.getBoundingClientRect().right > card.right);
  })
  .map((element) => element.textContent)`;

describe.skipIf(!browser)("the page in Chromium (needs a browser: set CHROMIUM_PATH)", () => {
  const settings = { METROBUS_BUS: "memory", PORT: "0", LOG_LEVEL: "silent" } as const;
  let bus: MetroBus;
  let stats: StatsStore;
  let web: Web;
  const { complaints, open, leave } = visitors(browser!);

  beforeEach(async () => {
    bus = await connect(settings);
    ({ stats } = bus);
    web = await startWeb({ settings, bus });
  });
  afterEach(async () => {
    await leave();
    await web.close();
    await bus.close();
    expect(complaints.splice(0)).toEqual([]);
  });

  const openPage = (url = `${web.url}/stops`, options: BrowserContextOptions = {}) => open(url, options);
  const stop = (page: Page, name: string) =>
    page.locator(".stop").filter({ has: page.getByRole("heading", { name, level: 2, exact: true }) });
  const live = (page: Page) => page.locator("#connection").getByText("Live").waitFor();

  const states = {
    demo: writeDemo,
    empty: async () => undefined,
    hostile: writeHostile,
    crowd: writeCrowd,
    down: async (store: StatsStore) => {
      store.read = () => Promise.reject(new Error("down"));
    },
  };
  describe.for(Object.entries(states))("with the state %s", ([state, prepare]) => {
    test.for(looks)("$width px, $theme: nothing for axe to find, nothing beyond the edge", async ({ width, theme }) => {
      await prepare(stats);
      const page = await openPage(`${web.url}/stops`, { viewport: { width, height: 900 }, colorScheme: theme });
      await page.locator("#connection[data-state=live], #connection[data-state=waiting]").waitFor();
      for (const summary of await page.locator("summary").all()) await summary.click();
      expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
      expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
      expect(await page.evaluate(MISPLACED)).toEqual([]);
      await page.screenshot({ path: `test-results/page-${state}-${width}-${theme}.png`, fullPage: true });
    });
  });

  test("the longest numbers fit at every width", async () => {
    await write(stats, "Log", [{ outcome: "arrived", detail: "", count: 9_999_999_999 }]);
    const page = await openPage();
    for (const width of [320, 576, 577, 959, 960, 1151, 1152, 1920]) {
      await page.setViewportSize({ width, height: 900 });
      expect([width, await page.evaluate(MISPLACED)]).toEqual([width, []]);
      expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    }
  });

  test("numbers change by themselves, and what the reader has unfolded, focused and marked stays", async () => {
    await writeDemo(stats);
    await writeHostile(stats);
    const page = await openPage();
    await live(page);
    const unfolded = stop(page, "🚌").locator("details");
    await unfolded.locator("summary").click();
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Tab");
    await page.evaluate(`getSelection().selectAllChildren(document.querySelector(".stop h2"))`);
    await write(stats, "Log", [{ outcome: "arrived", detail: "", count: 1_000 }]);
    await stop(page, "Log").getByText("1,166").first().waitFor();
    expect(await unfolded.getAttribute("open")).toBe("");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("24 more");
    expect(await page.evaluate("document.activeElement.closest('.stop').querySelector('h2').textContent")).toBe("🚌");
    expect(await page.evaluate("String(getSelection())")).toBe("Source");
  });

  test("a stop that is new takes its place in the line", async () => {
    await write(stats, "WhiteList", [{ outcome: "forwarded", detail: "Log", count: 1 }]);
    const page = await openPage();
    await live(page);
    await write(stats, "Source", [{ outcome: "forwarded", detail: "WhiteList", count: 1 }]);
    await write(stats, "Log", [{ outcome: "arrived", detail: "", count: 1 }]);
    await page.locator(".stop:nth-child(3)").waitFor();
    expect(await page.locator(".stop h2").allTextContents()).toEqual(["Source", "WhiteList", "Log"]);
  });

  test("hostile names and reasons are text", async () => {
    await writeHostile(stats);
    const page = await openPage();
    await live(page);
    expect(await stop(page, HOSTILE).locator("h2").textContent()).toBe(HOSTILE);
    expect(await page.locator("#main script, #main img").count()).toBe(0);
    expect(await page.locator("#main").innerHTML()).not.toContain("NaN");
    const heights = await page
      .locator(".stop h2")
      .evaluateAll((headings: { clientHeight: number }[]) => headings.map(({ clientHeight }) => clientHeight));
    expect(Math.max(...heights)).toBeLessThan(80);
  });

  test("without JavaScript the page shows the numbers", async () => {
    await writeDemo(stats);
    const page = await openPage(`${web.url}/stops`, { javaScriptEnabled: false });
    expect(await stop(page, "AddEmail").textContent()).toMatch(
      /Processed\s*1,000[^]*Forwarded\s*333[^]*no such account\s*667/,
    );
    expect(await page.getByText("Reload for newer numbers").isVisible()).toBe(true);
  });

  test("each opening of the first page is a hit; updates and files are none", async () => {
    const page = await openPage(web.url);
    await live(page);
    await page.getByText("Page opened once").waitFor();
    await page.reload();
    await page.getByText("Page opened 2 times").waitFor();
    expect((await stats.read()).hits).toBe(2);
  });

  test("a hidden page ends its stream, and takes it up again when it is seen", async () => {
    await writeDemo(stats);
    const page = await openPage();
    const show = (state: "hidden" | "visible") =>
      page.evaluate(`Object.defineProperty(document, "visibilityState", { value: "${state}", configurable: true });
        document.dispatchEvent(new Event("visibilitychange"))`);
    await live(page);
    const ended = page.waitForEvent("requestfailed", (request) => request.resourceType() === "eventsource");
    await show("hidden");
    await ended;
    await write(stats, "Log", [{ outcome: "arrived", detail: "", count: 1_000 }]);
    await show("visible");
    await stop(page, "Log").getByText("1,166").first().waitFor();
  });

  test("a status page that was restarted is found again", async () => {
    await web.close();
    const again = { ...settings, PORT: String(await freePort()) };
    web = await startWeb({ settings: again, bus });
    const page = await openPage();
    await live(page);
    await web.close();
    await page.getByText("No connection to the status page").waitFor();
    web = await startWeb({ settings: again, bus });
    await live(page);
    const others = complaints.splice(0).filter((each) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED/.test(each));
    expect(others).toEqual([]);
  });

  test("the keyboard reaches everything, beginning with a way past the header", async () => {
    await writeDemo(stats);
    const page = await openPage();
    const reached: string[] = [];
    for (let presses = 0; presses < 3; presses++) {
      await page.keyboard.press("Tab");
      reached.push(String(await page.evaluate("document.activeElement.textContent")));
    }
    expect(reached).toEqual(["Skip to the content", "metrobus", "Map"]);
  });

  test.skipIf(!docker)(
    "Redis goes: the page says so and keeps the numbers; Redis comes back: so do they (needs Docker)",
    async () => {
      const redis = await startRedis();
      onTestFinished(() => redis.remove());
      const settings = { METROBUS_STATS: "redis", REDIS_URL: redis.url, PORT: "0", LOG_LEVEL: "silent" };
      const counted = await startWeb({ settings });
      onTestFinished(() => counted.close());
      const { openStats } = await import("metrobus");
      const store = await openStats(settings);
      onTestFinished(() => store.close());
      await writeDemo(store);
      const page = await openPage(`${counted.url}/stops`);
      await live(page);
      for (const [away, back] of [
        [redis.stop, redis.start],
        [redis.hang, redis.goOn],
      ] as const) {
        await away();
        await page.getByRole("alert").getByText("The numbers can’t be read.").waitFor();
        expect(await page.getByRole("alert").textContent()).toMatch(
          /These are of \d\d:\d\d:\d\d UTC[^]*Redis at redis:[^]*start it/,
        );
        expect(await stop(page, "Source").textContent()).toMatch(/Processed\s*[12],003\s*Now\s*–/);
        await page.screenshot({ path: "test-results/page-stale.png", fullPage: true });
        await back();
        await live(page);
        await eventually(() =>
          write(store, "Source", [{ outcome: "forwarded", detail: "AddEmail", count: 1_000 }]).then(
            () => true,
            () => false,
          ),
        );
        await stop(page, "Source")
          .getByText(away === redis.stop ? "2,003" : "3,003")
          .first()
          .waitFor();
        expect(await page.getByRole("alert").textContent()).toMatch(/^\s*$/);
      }
    },
  );
});
