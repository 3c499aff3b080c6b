import { gzipSync } from "node:zlib";
import { AxeBuilder } from "@axe-core/playwright";
import type { StopContext } from "metrobus";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Topology } from "../../web-status/map/answer.ts";
import type { LettersAnswer } from "../../web-status/letters/list.ts";
import type { TripsAnswer } from "../../web-status/trips/find.ts";
import type { StopsAnswer } from "../../web-status/stop/list.ts";
import type { StopAnswer } from "../../web-status/stop/answer.ts";
import { startWeb } from "../../web-status/server.ts";
import { launchChromium } from "../support/chromium.ts";
import { hasDocker } from "../support/docker.ts";
import { startKafka, type KafkaBroker } from "../support/kafka.ts";
import { operated, type Operated } from "../support/operated.ts";
import { eventually, everything } from "../support/probe.ts";
import { start } from "../support/program.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { MESSAGES, SECRETS, toldPipeline, type ToldPipeline } from "../support/told-pipeline.ts";
import { visitors } from "../support/visitors.ts";

const browser = await launchChromium();
const docker = await hasDocker();
const LETTERS = 1_000;
const share = (part: number, of: number) => `${((part / of) * 100).toFixed(1)} %`;
/** What is written there, with a blank for each tag. */
const inOneLine = async (page: Page, selector = "#main") => {
  const parts: string[] = [];
  for (const element of await page.locator(selector).all()) parts.push(await element.innerHTML());
  return parts
    .join(" ")
    .replace(/<[^>]*>/g, " ")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&amp;/g, "&")
    .replace(/\s+/g, " ");
};
/** JSON that is none stays in its field, with the reason. */
async function expectNotSent(page: Page, json: string, button: string): Promise<void> {
  const field = page.getByLabel("Payload, as JSON");
  await field.fill(json);
  await page.getByRole("button", { name: button, exact: true }).click();
  const why = await page.evaluate('document.querySelector("#payload").validationMessage');
  expect([await field.inputValue(), why]).toEqual([json, expect.stringMatching(/^This is not JSON: /)]);
}
/** Of 1, which is all that is seen moving by all its height; below is a number that has one digit more. */
const A_JUMP = 0.01;
/** Keeps what moves on the page by itself: of each jump how much of the view it was, and what moved. */
const JUMPS = `
  jumps = [];
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries())
      if (!hadRecentInput) jumps.push({ value, what: sources.map(({ node }) => node?.outerHTML?.slice(0, 80) ?? "") });
  }).observe({ type: "layout-shift", buffered: true });`;
/** Halves of surrogate pairs, and a time that no date can have. */
const NO_TEXT_AND_NO_TIME = String.raw`{"header":{"id":"\ud800","boarded":1e400,"historical_route":["\udc00","\udc01"],"visits":"1:a:9e9","route":[]},"payload":1}`;
/** Text that would be something else where it is not escaped. */
const HOSTILE = `<script>alert("1")</script><img src=x onerror=alert(2)>'"&amp;</bdi></pre></textarea>\u202e\u2066rtl`;
const LONG = "y".repeat(10_000);

describe.skipIf(!browser || !docker)("operating the pipeline by its page (needs Docker and a browser)", () => {
  let kafka: KafkaBroker;
  let redis: RedisServer;
  const { complaints, open, operator, leave } = visitors(browser!);

  beforeAll(async () => {
    [kafka, redis] = await Promise.all([startKafka(), startRedis()]);
  });
  afterEach(async () => {
    await leave();
    expect(complaints.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all([kafka?.stop(), redis?.remove()]);
  });

  describe("a pipeline with failures, drops, a paused stop and one that does not get on", () => {
    let scene: ToldPipeline;
    let did: Record<string, number>;
    let views: Record<string, string>;

    beforeAll(async () => {
      scene = await toldPipeline({ brokers: kafka.brokers, redis: redis.url, database: 1 });
      did = scene.tally[scene.names.check]!;
      const { letters } = await eventuallyAll(did["dead"]!);
      let trips: { id: string }[] = [];
      await eventually(async () => {
        ({ trips } = await scene.ask<{ trips: typeof trips }>("/api/v1/trips"));
        return trips.length > 0;
      });
      const nothing = { reason: "no such reason", why: "to have one" };
      const { id: run } = await scene.ask<{ id: string }>("/api/v1/letters/discard", nothing);
      views = {
        map: "/",
        stops: "/stops",
        stop: `/stops/${scene.names.check}`,
        slow: `/stops/${scene.names.slow}`,
        trips: "/trips",
        trip: `/trips/${trips[0]!.id}`,
        failed: `/trips/${letters![0]!.messageId}`,
        letters: "/letters",
        letter: `/letters/${letters![0]!.id}`,
        run: `/runs/${run}`,
        audit: "/audit",
        send: "/send",
        login: "/login",
      };
    });
    afterAll(() => scene?.[Symbol.asyncDispose]());

    const eventuallyAll = async (dead: number): Promise<LettersAnswer> => {
      await eventually(async () => (await scene.ask<LettersAnswer>("/api/v1/letters")).total?.open === dead);
      return scene.ask<LettersAnswer>("/api/v1/letters");
    };

    test("programs are told what the test has counted", async () => {
      const { names, ask, waiting } = scene;
      let map = await ask<Topology & { openLetters: number }>("/api/v1/map");
      // Numbers of the last quarter of an hour are at most five seconds old, ages of what waits fifteen.
      await eventually(async () => {
        map = await ask<Topology & { openLetters: number }>("/api/v1/map");
        return map.ways.length === 3 && map.stops.some(({ stop, state }) => stop === names.slow && state === "lagging");
      });
      expect(map.openLetters).toBe(did["dead"]);
      const found = (name: string) => map.stops.find(({ stop }) => stop === name)!;
      const drops = did["too old"]! + did["not wanted"]!;
      expect(found(names.source)).toMatchObject({ processed: MESSAGES, waiting: 0, instances: 1 });
      expect(found(names.check)).toMatchObject({
        processed: MESSAGES,
        recent: MESSAGES,
        dropped: { recent: drops, share: drops / MESSAGES },
        dead: { recent: did["dead"], share: did["dead"]! / MESSAGES },
      });
      expect(found(names.log)).toMatchObject({ processed: did["log"], waiting: 0 });
      expect(found(names.held)).toMatchObject({ state: "paused", processed: 0, waiting: did["held"] });
      const ways = Object.fromEntries(
        map.ways.map(({ from, to, recent, share: of }) => [`${from} ${to}`, { recent, of }]),
      );
      expect(ways).toEqual({
        [`${names.source} ${names.check}`]: { recent: MESSAGES, of: 1 },
        [`${names.check} ${names.log}`]: { recent: did["log"], of: did["log"]! / MESSAGES },
        [`${names.check} ${names.held}`]: { recent: did["held"], of: did["held"]! / MESSAGES },
      });

      const { stops, totals } = await ask<StopsAnswer>("/api/v1/stops");
      const forwarded = did["log"]! + did["held"]!;
      const check = { processed: MESSAGES, forwarded, arrived: 0, dropped: drops, dead: did["dead"], later: 0 };
      expect(stops.find(({ stop }) => stop === names.check)).toMatchObject(check);
      expect(totals).toMatchObject({
        processed: MESSAGES * 2 + did["log"]!,
        forwarded: MESSAGES + forwarded,
        arrived: did["log"],
        dropped: drops,
        dead: did["dead"],
      });

      const stop = await ask<StopAnswer>(`/api/v1/stops/${names.check}`);
      expect(stop.totals).toMatchObject(check);
      const inHistory = (of: (step: StopAnswer["history"][number]) => number) =>
        stop.history.reduce((sum, step) => sum + of(step), 0);
      expect(inHistory((step) => step.forwarded)).toBe(forwarded);
      expect(inHistory((step) => step.dead)).toBe(did["dead"]);
      for (const reason of ["too old", "not wanted"]) {
        const ofIt = inHistory((step) => step.drops.find((each) => each.reason === reason)?.count ?? 0);
        expect(ofIt).toBe(did[reason]);
      }
      expect(stop.failures!.visits.length).toBe(Math.min(50, did["dead"]!));
      const slow = await ask<StopAnswer>(`/api/v1/stops/${names.slow}`);
      expect(slow.lag.lanes.map(({ messages }) => messages)).toEqual(waiting);
      expect(slow.lag.messages).toBe(waiting[0]! + waiting[1]!);
      expect(slow.lag.seconds).toBeGreaterThan(599);
      expect(slow.instances).toMatchObject([{ version: "1.2.3", pid: process.pid, lanes: ["0", "1"] }]);
      const standing = waiting.map((_, at) => ({ position: 0, message: `${names.slow}-${at}-0` }));
      expect(slow.lag.lanes).toMatchObject(standing);
      for (const { standingMs } of slow.lag.lanes) expect(standingMs).toBeGreaterThan(0);
      const held = await ask<StopAnswer>(`/api/v1/stops/${names.held}`);
      expect(held).toMatchObject({ state: "paused", pause: { by: "ann" }, lag: { messages: did["held"] } });

      const { groups, total } = await ask<LettersAnswer>("/api/v1/letters");
      expect(groups).toMatchObject([{ stop: names.check, reason: "TypeError", open: did["dead"], replayed: 0 }]);
      expect(total).toMatchObject({ open: did["dead"], asked: 0, replayed: 0, discarded: 0 });
    });

    test("people read the same", async () => {
      const { names, web, waiting } = scene;
      const page = await operator(web.url, "ann");
      const row = (name: string) => inOneLine(page, `.map table tr:has(> th bdi:text-is("${name}"))`);
      const drops = did["too old"]! + did["not wanted"]!;
      const ofCheck = await row(names.check);
      for (const part of [String(MESSAGES), share(did["log"]!, MESSAGES), share(drops, MESSAGES)])
        expect(ofCheck).toContain(part.trim());
      expect(await page.locator("#map-letters").textContent()).toBe(`${did["dead"]} dead letters are open`);
      expect(await row(names.held)).toMatch(new RegExp(`Paused by ann.*${did["held"]} messages wait`));
      expect(await row(names.slow)).toMatch(/Lagging: 12 messages wait, the oldest for 10 min/);

      await page.goto(`${web.url}/stops`);
      const card = await inOneLine(page, `.stop:has(h2:has-text("${names.check}"))`);
      expect(card).toMatch(
        new RegExp(
          `Processed\\s*${MESSAGES}.*Forwarded ${did["log"]! + did["held"]!} .*Dropped ${drops} ${share(drops, MESSAGES)}` +
            `.*too old ${did["too old"]}.*not wanted ${did["not wanted"]}.*Dead ${did["dead"]} .*TypeError ${did["dead"]}`,
        ),
      );

      await page.goto(`${web.url}/stops/${names.check}`);
      expect(await inOneLine(page)).toMatch(
        new RegExp(
          `Processed\\s*${MESSAGES} Waiting\\s*0.*Dropped ${drops} .*too old ${did["too old"]} .*Dead ${did["dead"]}`,
        ),
      );
      const { x, series } = JSON.parse((await page.locator("#chart-drops").getAttribute("data-chart"))!) as {
        readonly x: readonly number[];
        readonly series: readonly { readonly label: string; readonly y: readonly number[] }[];
      };
      const dropped = series.map(({ label, y }) => [
        label,
        Math.round(y.reduce((sum, n) => sum + n) * (x[1]! - x[0]!)),
      ]);
      const byReason = ["too old", "not wanted"].map((reason) => [reason, did[reason]!] as const);
      expect(dropped).toEqual(byReason.toSorted((one, other) => other[1] - one[1]));
      const failures = await page.locator("section[aria-labelledby=failures] tbody tr").all();
      expect(failures.length).toBe(1);
      expect(await failures[0]!.locator("td").nth(1).textContent()).toBe(String(Math.min(50, did["dead"]!)));
      await page.goto(`${web.url}/stops/${names.slow}`);
      expect(await inOneLine(page)).toMatch(/Waiting\s*12\s*for 10 min/);
      expect(await page.locator("#lane-0 td, #lane-1 td").allTextContents()).toEqual(
        expect.arrayContaining(waiting.map(String)),
      );
      expect(await inOneLine(page, "#lane-1")).toMatch(new RegExp(`stands for [\\d.]+ (s|min) ${names.slow}-1-0`));
      await page.goto(`${web.url}/stops/${names.held}`);
      expect(await inOneLine(page)).toMatch(new RegExp(`Paused by ann.*Waiting\\s*${did["held"]}\\D`));

      await page.goto(`${web.url}/letters`);
      const dead = String(did["dead"]);
      const [group] = await page.locator("section[aria-labelledby=groups] tbody tr").all();
      expect(await group!.locator("td, th").allTextContents()).toEqual(
        expect.arrayContaining([names.check, "TypeError", dead, "0"]),
      );
      expect(await page.locator("section[aria-labelledby=letters] tbody tr").count()).toBe(Math.min(50, did["dead"]!));
    });

    test("who is not logged in sees no buttons, and nothing that messages hold", async () => {
      const { web } = scene;
      const page = await open(web.url);
      for (const path of Object.values(views)) {
        await page.goto(web.url + path);
        const html = await page.content();
        for (const secret of Object.values(SECRETS)) expect([path, html.includes(secret)]).toEqual([path, false]);
        expect([path, /(Source|Slow)-\w+-\d-\d/.test(html)]).toEqual([path, false]);
        if (path !== "/login") expect([path, await page.locator("form[method=post]").count()]).toEqual([path, 0]);
      }
    });

    test("who is not logged in can't do anything, by a form or as a program", async () => {
      const { web, names } = scene;
      const letter = views["letter"]!;
      const deeds = [
        [`/stops/${names.check}/pause`, {}],
        [`/stops/${names.held}/resume`, {}],
        [`${letter}/replay`, {}],
        [`${letter}/discard`, { reason: "no" }],
        ["/letters/replay", {}],
        ["/letters/discard", { why: "no" }],
        [`${views["run"]}/stop`, {}],
        ["/send", { topic: names.log, payload: "{}" }],
      ] as const;
      for (const [path, fields] of deeds) {
        const body = new URLSearchParams(fields);
        const form = await fetch(web.url + path, { method: "POST", body, headers: { accept: "text/html" } });
        expect([path, form.status]).toEqual([path, 403]);
        const headers = { "content-type": "application/json" };
        const json = await fetch(`${web.url}/api/v1${path}`, { method: "POST", body: JSON.stringify(fields), headers });
        expect([path, json.status]).toEqual([path, 403]);
      }
      expect((await scene.ask<LettersAnswer>("/api/v1/letters")).total).toMatchObject({ open: did["dead"] });
      expect(await scene.ask<StopAnswer>(`/api/v1/stops/${names.check}`)).toMatchObject({ pause: null });
    });

    test("every view is in order, narrow and wide, light and dark", async () => {
      const { web } = scene;
      const look = async (width: number) => {
        const page = await operator(web.url, "ann", "/", { viewport: { width, height: 900 } });
        for (const [name, path] of Object.entries(views)) {
          await page.goto(web.url + path);
          const folded = page.locator("#main details:not([open]) > summary");
          while ((await folded.count()) > 0) await folded.first().click();
          for (const theme of ["light", "dark"] as const) {
            await page.emulateMedia({ colorScheme: theme });
            const axe = new AxeBuilder({ page });
            // Themes differ in colours only.
            const { violations } = await (theme === "light" ? axe : axe.withRules("color-contrast")).analyze();
            const found = violations.map(({ id, nodes }) => ({ id, html: nodes.map(({ html }) => html) }));
            const beyond = Number(await page.evaluate("document.documentElement.scrollWidth - innerWidth"));
            const seen = { name, width, theme };
            expect.soft({ ...seen, found, isBeyond: beyond > 0 }).toEqual({ ...seen, found: [], isBeyond: false });
            await page.screenshot({ path: `test-results/operate-${name}-${width}-${theme}.png`, fullPage: true });
          }
        }
      };
      await Promise.all([400, 1400].map(look));
    });

    test("nothing jumps while a view comes up", async () => {
      const { web } = scene;
      const look = async (width: number) => {
        const page = await operator(web.url, "ann", "/", { viewport: { width, height: 900 } });
        await page.addInitScript(JUMPS);
        for (const [name, path] of Object.entries(views)) {
          await page.goto(web.url + path);
          for (const chart of await page.locator(".chart").all()) await chart.locator("canvas").waitFor();
          if ((await page.locator("[data-live=on]").count()) > 0) await page.locator("[data-state=live]").waitFor();
          await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
          const jumps = (await page.evaluate("jumps")) as { value: number }[];
          const isFelt = jumps.reduce((sum, { value }) => sum + value, 0) > A_JUMP;
          expect.soft({ name, width, jumps: isFelt ? jumps : [] }).toEqual({ name, width, jumps: [] });
        }
      };
      await Promise.all([400, 1400].map(look));
    });

    test("without script every view shows its data", async () => {
      const { web, names } = scene;
      const page = await operator(web.url, "ann", "/", { javaScriptEnabled: false });
      const shown: Record<string, RegExp> = {
        map: new RegExp(`${names.source}.*${names.check}.*Processed`),
        stops: new RegExp(`${names.check} Processed\\s*${MESSAGES}`),
        stop: new RegExp(`Processed\\s*${MESSAGES}.*too old ${did["too old"]}.*TypeError`),
        slow: /Waiting\s*12/,
        trips: new RegExp(`${SECRETS.key}-\\d+`),
        trip: new RegExp(`${names.source}.*Waited`),
        failed: new RegExp(`Dead at ${names.check}.*${SECRETS.error}`),
        letters: new RegExp(`TypeError ${did["dead"]}|TypeError.*${did["dead"]}`),
        letter: new RegExp(`${SECRETS.error}.*"n": \\d+`),
        run: /Discard of many letters.*no such reason/,
        audit: /Nothing yet/,
        send: /Payload, as JSON/,
        login: /Name.*Password/,
      };
      for (const [name, path] of Object.entries(views)) {
        await page.goto(web.url + path);
        expect([name, await inOneLine(page)]).toEqual([name, expect.stringMatching(shown[name]!)]);
      }
    });

    test("all scripts together are at most 150 KB, compressed", async () => {
      const { web } = scene;
      const scripts = new Set<string>();
      const page = await operator(web.url, "ann");
      page.on("request", (request) => {
        if (request.resourceType() === "script") scripts.add(request.url());
      });
      for (const path of Object.values(views)) {
        await page.goto(web.url + path);
        // What draws is fetched after the page has been loaded.
        for (const chart of await page.locator(".chart").all()) await chart.locator("canvas").waitFor();
      }
      const sizes = [...scripts].map(async (url) => gzipSync(await (await fetch(url)).bytes()).length);
      expect([...scripts].map((url) => new URL(url).pathname)).toContain("/vendor/uplot.js");
      expect((await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)).toBeLessThan(150_000);
    });
  });

  describe("acting on single letters", () => {
    let scene: Operated;
    let stop: string;
    let before: string;
    let isBroken = true;
    const arrived: number[] = [];

    beforeAll(async () => {
      scene = await operated({ brokers: kafka.brokers, redis: redis.url, database: 2 });
      const { line, topic, ask } = scene;
      [before, stop] = [topic("Before"), topic("Broken")];
      await line.stop(before, (message: { n: number }) => message);
      await line.stop(
        stop,
        ({ n }: { n: number }) => {
          if (isBroken) throw new RangeError(`${n} is too much`);
          arrived.push(n);
          return { n };
        },
        { breaker: false },
      );
      for (let n = 0; n < 6; n++) await line.metro.send(before, { n }, { key: `key-${n}`, route: [stop] });
      await eventually(async () => (await ask<LettersAnswer>("/api/v1/letters")).letters?.length === 6);
      isBroken = false;
    });
    afterAll(() => scene?.[Symbol.asyncDispose]());

    async function letterOf(n: number): Promise<string> {
      const { letters } = await scene.ask<LettersAnswer>(`/api/v1/letters?key=key-${n}`);
      return `/letters/${letters!.at(-1)!.id}`;
    }
    const came = async (n: number, topic = stop) =>
      (await everything(scene.line.metro.bus, topic)).filter(({ key }) => String(key) === `key-${n}`).length;
    const act = (page: Page, name: string) =>
      Promise.all([page.waitForEvent("load"), page.getByRole("button", { name, exact: true }).click()]);

    test("a letter is replayed to where it failed, and the page says by whom", async () => {
      const page = await operator(scene.web.url, "ann", await letterOf(0));
      await act(page, "Replay");
      expect(await inOneLine(page)).toMatch(/It has been replayed.*\d\d:\d\d:\d\d replay done ann Broken-\w+/);
      await eventually(() => arrived.includes(0));
      expect(await came(0)).toBe(2);
      expect(await page.getByRole("button", { name: "Replay" }).count()).toBe(0);
    });

    test("a letter is replayed edited; what is no JSON is told and not sent, and what was typed stays", async () => {
      const path = await letterOf(1);
      const page = await operator(scene.web.url, "ann", path);
      await page.getByText("Replay it edited").click();
      await expectNotSent(page, "{ n: 100 }", "Replay edited");
      expect(await came(1)).toBe(1);
      await page.getByLabel("Payload, as JSON").fill('{ "n": 100 }');
      await page.getByLabel("Stops after it").fill(before);
      await act(page, "Replay edited");
      expect(await inOneLine(page)).toMatch(/It has been replayed.*"n": 1 }.*replay, edited done ann/);
      await eventually(() => arrived.includes(100));
      expect(arrived).not.toContain(1);
      await eventually(async () => (await came(1, before)) === 2);
    });

    test("who is not logged in any more is told so, and what was on the page stays", async () => {
      const page = await operator(scene.web.url, "ann", "/audit");
      await page.locator("#connection[data-state=live]").waitFor();
      const before = await inOneLine(page, "h1");
      await page.context().clearCookies();
      // As if it had been away, and came back.
      await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
      await page.locator("#connection").getByText("You may not see this any more").waitFor();
      expect(await inOneLine(page, "h1")).toBe(before);
    });

    test("a letter is rewound to a stop of its route", async () => {
      const page = await operator(scene.web.url, "ann", "/letters");
      const offered = await page.locator("#route-stops option").all();
      expect(await Promise.all(offered.map((each) => each.getAttribute("value")))).toEqual([before, stop]);
      await page.goto(scene.web.url + (await letterOf(2)));
      await page.getByLabel("To", { exact: true }).selectOption(before);
      await act(page, "Replay");
      expect(await inOneLine(page)).toMatch(/It has been replayed.*replay done ann Before-\w+/);
      await eventually(() => arrived.includes(2));
      expect([await came(2, before), await came(2)]).toEqual([2, 2]);
    });

    test("a letter is discarded with a reason, and the audit shows all that was done", async () => {
      const page = await operator(scene.web.url, "bob", await letterOf(3));
      await page.getByRole("textbox", { name: "Why" }).fill("nobody needs it");
      await act(page, "Discard");
      expect(await inOneLine(page)).toMatch(/It has been discarded.*discard done bob\s+nobody needs it/);
      expect(await came(3)).toBe(1);
      await page.goto(`${scene.web.url}/audit`);
      const rows = await page.locator("tbody tr").allTextContents();
      const today = new Date().toISOString().slice(0, 8);
      expect(rows[0]).toMatch(new RegExp(`${today}.*discard.*bob.*nobody needs it`, "s"));
      expect(rows.filter((row) => row.includes("ann")).length).toBeGreaterThanOrEqual(3);
      const { total } = await scene.ask<LettersAnswer>("/api/v1/letters");
      expect(total).toMatchObject({ open: 2, asked: 0, replayed: 3, discarded: 1 });
    });

    test("two press Replay at the same time, on two pages: it comes once, and one is told that somebody was first", async () => {
      const path = await letterOf(4);
      const other = await startWeb({ settings: scene.settings });
      onTestFinished(() => other.close());
      await eventually(async () => (await fetch(`${other.url}/api/v1/letters`)).ok);
      const both = await Promise.all([operator(scene.web.url, "ann", path), operator(other.url, "bob", path)]);
      await Promise.all(both.map((page) => act(page, "Replay")));
      const texts = await Promise.all(both.map((page) => inOneLine(page)));
      const isTold = (text: string) => /Nothing was done.*somebody has replayed or discarded it before/.test(text);
      expect(texts.filter(isTold)).toHaveLength(1);
      expect(texts.find((text) => !isTold(text))).toContain("It has been replayed");
      await eventually(() => arrived.includes(4));
      expect(await came(4)).toBe(2);
    });

    test("a stop is paused by a button, holds its messages, and is resumed", async () => {
      const { web, line } = scene;
      const page = await operator(web.url, "bob", `/stops/${stop}`);
      await act(page, "Pause");
      await page.getByText("Paused by bob").first().waitFor();
      await page.locator("[aria-labelledby=instances] td").getByText("paused").waitFor();
      for (let n = 200; n < 205; n++) await line.metro.send(stop, { n }, { route: [] });
      await page
        .locator(".figures div")
        .filter({ hasText: /Waiting\s*5/ })
        .waitFor();
      expect(arrived.filter((n) => n >= 200)).toEqual([]);
      await act(page, "Resume");
      await eventually(() => arrived.filter((n) => n >= 200).length === 5);
      await page
        .locator(".figures div")
        .filter({ hasText: /Waiting\s*0/ })
        .waitFor();
      expect(await inOneLine(page)).not.toContain("Paused by");
    });

    test("a message is sent from the page, and its trip is seen", async () => {
      const page = await operator(scene.web.url, "ann", `/send?topic=${before}`);
      await page.getByLabel("Stops after it").fill(stop);
      await expectNotSent(page, "{ n: 300 }", "Send");
      await page.getByLabel("Payload, as JSON").fill('{ "n": 300 }');
      await act(page, "Send");
      await eventually(() => arrived.includes(300));
      await eventually(async () => {
        await page.reload();
        return /arrived/.test(await inOneLine(page));
      });
      await page.locator("tbody th a").click();
      expect(await page.locator(".timeline h3").allTextContents()).toEqual([before, stop]);
      expect(await inOneLine(page)).toMatch(new RegExp(`Arrived at ${stop}.*forwarded to ${stop}.*arrived`));
    });
  });

  test("hostile text is text, wherever it is shown", async () => {
    const proxy = { WEB_TRUST_HEADER: "X-User", WEB_TRUST_PROXY: "127.0.0.1,::1" };
    await using scene = await operated(
      { brokers: kafka.brokers, redis: redis.url, database: 4 },
      { ...proxy, METROBUS_TRIPS: "payload" },
    );
    const { line, topic, ask, web } = scene;
    const { bus, stats } = line.metro;
    const [drops, fails] = [topic("Drops"), topic("Fails")];
    await line.stop(drops, (_: object, context: StopContext) => context.drop(HOSTILE));
    await line.stop(
      fails,
      () => {
        throw Object.assign(new Error(HOSTILE + LONG), { name: HOSTILE, code: HOSTILE });
      },
      { breaker: false },
    );
    const text = { [HOSTILE]: HOSTILE, long: LONG };
    const key = Buffer.from(HOSTILE);
    const envelope = (id: string) => Buffer.from(JSON.stringify({ header: { id, route: [] }, payload: text }));
    const headers = [[HOSTILE, Buffer.from(HOSTILE)]] as const;
    await bus.send([
      { topic: drops, key, value: envelope(HOSTILE), headers },
      { topic: fails, key, value: envelope(`${HOSTILE}2`), headers },
      { topic: fails, key: null, value: Buffer.from(NO_TEXT_AND_NO_TIME), headers: [] },
    ]);
    await stats.pause(HOSTILE, HOSTILE);
    const counts = (["forwarded", "dropped", "dead"] as const).map((outcome) => ({
      outcome,
      detail: HOSTILE,
      count: 3,
    }));
    const none = { worked: {}, waited: {}, from: [], gaps: 0, lastSeen: Date.now() };
    const stops = [HOSTILE, LONG.slice(0, 1_000)].map((stop) => ({ stop, counts, ...none }));
    await stats.write({ instance: HOSTILE, sequence: 1, coversMs: 250, stops });
    const letters = async () => (await ask<LettersAnswer>("/api/v1/letters")).letters ?? [];
    await eventually(async () => (await letters()).length === 2);
    const letter = (await letters()).find(({ messageId }) => messageId === `${HOSTILE}2`)!.id;
    const other = (await letters()).find(({ id }) => id !== letter)!.id;
    await eventually(async () => (await ask<TripsAnswer>("/api/v1/trips")).trips.length === 3);
    const { id: run } = await ask<{ id: string }>("/api/v1/letters/discard", { reason: `no ${HOSTILE}`, why: HOSTILE });

    const by = HOSTILE.slice(0, HOSTILE.indexOf("\u202e"));
    const page = await open(web.url, { extraHTTPHeaders: { "x-user": by } });
    await page.goto(`${web.url}/letters/${letter}`);
    await page.getByRole("textbox", { name: "Why" }).fill(HOSTILE);
    await page.getByRole("button", { name: "Discard" }).click();
    await page.getByText("It has been discarded").waitFor();
    const h = encodeURIComponent(HOSTILE);
    const shown = {
      "/": by,
      [`/?search=${h}`]: HOSTILE,
      "/stops": HOSTILE,
      [`/stops/${h}`]: HOSTILE,
      [`/stops/${fails}`]: HOSTILE,
      [`/trips?key=${h}`]: HOSTILE,
      [`/trips/${h}`]: HOSTILE,
      [`/trips/${h}2`]: HOSTILE,
      "/trips": HOSTILE,
      [`/trips/${encodeURIComponent("\ufffd")}`]: "Dead at",
      [`/trips?field=${h}&value=${h}`]: by,
      "/letters": HOSTILE,
      [`/letters?reason=${h}&key=${h}`]: by,
      [`/letters/${letter}`]: HOSTILE,
      [`/letters/${other}`]: HOSTILE,
      "/letters?since=253402300799999": by,
      [`/runs/${run}`]: HOSTILE,
      "/audit": HOSTILE,
      [`/send?topic=${h.slice(0, 200)}`]: by,
      [`/login?next=${h}`]: by,
      [`/stops/no${h}`]: HOSTILE,
      [`/letters/no${h.slice(0, 60)}`]: by,
      [`/trips/no${h}`]: HOSTILE,
    };
    for (const [path, expected] of Object.entries(shown)) {
      await page.goto(web.url + path);
      expect.soft([path, (await page.locator("body").textContent())!.includes(expected)]).toEqual([path, true]);
      expect.soft([path, await page.locator("main script, main img, header img").count()]).toEqual([path, 0]);
      const beyond = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
      expect.soft([path, beyond]).toEqual([path, false]);
    }
  });

  test("the page that works on 1,000 letters is killed: another one goes on, and each comes once", async () => {
    await using scene = await operated(
      { brokers: kafka.brokers, redis: redis.url, database: 3 },
      { METROBUS_SESSION_TIMEOUT: "1s" },
    );
    const { line, topic, settings } = scene;
    const stop = topic("Stop");
    const failure = { stop, topic: stop, reason: "Error", error: "Error", message: "no" };
    const headers = Object.entries(failure).map(([name, text]) => [`dead-letter.${name}`, Buffer.from(text)] as const);
    const letters = settings.METROBUS_DEAD_LETTER_TOPIC!;
    await line.metro.bus.create([{ topic: letters, keepForever: true }, { topic: stop }]);
    await line.metro.bus.send(
      Array.from({ length: LETTERS }, (_, n) => ({
        topic: letters,
        key: Buffer.from(String(n)),
        value: Buffer.from(String(n)),
        headers,
      })),
    );
    await scene.web.close();
    const pages = [1, 2].map(() =>
      start([process.execPath, "web-status/server.ts"], { ...settings, LOG_LEVEL: "info", LOG_FORMAT: "json" }),
    );
    onTestFinished(async () => {
      for (const { process: page } of pages) page.kill("SIGKILL");
      await Promise.all(pages.map(({ ended }) => ended));
    });
    const urls = await Promise.all(
      pages.map(async (page) => /http:\/\/localhost:\d+/.exec(await page.printed(/http:\/\/localhost:\d+/))![0]),
    );
    await eventually(async () =>
      (await Promise.all(urls.map((url) => fetch(`${url}/api/v1/letters`)))).every(({ ok }) => ok),
    );
    const [first, second] = (await Promise.all(urls.map((url) => operator(url, "ann", "/letters")))) as [Page, Page];
    await eventually(async () => {
      await first.reload();
      return (
        (await first.getByText(`Act on all`).count()) === 1 &&
        (await first.locator("tfoot").textContent())!.includes("1,000")
      );
    });
    await first.getByText("Act on all").click();
    await first.getByLabel("A second, at most").fill("250");
    await first.getByRole("button", { name: "Replay all (1000)" }).click();
    await first.waitForURL(/\/runs\//);
    const path = new URL(first.url()).pathname;
    await second.goto(urls[1] + path);

    const runOf = async (url: string) =>
      (await (await fetch(`${url}/api/v1${path}`)).json()) as {
        worker: string;
        state: string;
        report: { done: number };
      };
    await eventually(async () => (await runOf(urls[0]!)).report.done > 200);
    const { worker } = await runOf(urls[0]!);
    const killed = pages.findIndex(({ process: page }) => worker.endsWith(`-${page.pid}`));
    pages[killed]!.process.kill("SIGKILL");
    await pages[killed]!.ended;
    const [url, page] = killed === 0 ? [urls[1]!, second] : [urls[0]!, first];
    expect((await runOf(url)).report.done).toBeLessThan(LETTERS);
    await page.getByText("It is done", { exact: true }).waitFor();
    expect(await runOf(url)).toMatchObject({
      state: "done",
      report: { asked: LETTERS, done: LETTERS, already: 0, failed: 0 },
    });
    expect(await inOneLine(page)).toMatch(/1,000 of 1,000.*Done\s*1,000.*Failed\s*0.*by ann/);
    const sent = (await everything(line.metro.bus, stop)).map(({ value }) => Number(value)).sort((a, b) => a - b);
    expect(sent).toEqual(Array.from({ length: LETTERS }, (_, n) => n));

    const again = start([process.execPath, "web-status/server.ts"], {
      ...settings,
      LOG_LEVEL: "info",
      LOG_FORMAT: "json",
    });
    pages.push(again);
    const anew = /http:\/\/localhost:\d+/.exec(await again.printed(/http:\/\/localhost:\d+/))![0];
    await eventually(async () => (await fetch(`${anew}/api/v1${path}`)).ok);
    expect(await runOf(anew)).toEqual(await runOf(url));
    await leave();
    // The browser tells that a page is not there any more.
    complaints.splice(0);
  });
});
