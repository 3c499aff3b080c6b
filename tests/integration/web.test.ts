import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { createClient } from "@redis/client";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { openStats, type OutcomeKind, type StatsStore } from "metrobus";
import { startWeb, type Web } from "../../web-status/server.ts";
import { freePort } from "../support/docker.ts";
import { eventually } from "../support/probe.ts";

const redis = inject("redis");
/** A database of the shared Redis that no other test file uses. */
const settings = {
  METROBUS_STATS: "redis",
  REDIS_URL: `${redis ?? "redis://none"}/9`,
  PORT: "0",
  LOG_LEVEL: "silent",
} as const;

const wantsPage = { headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" } };

/** What a reader sees: text without tags, in one line. */
const readable = (html: string) => html.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");

/** The events of the page, one after the other. */
async function* eventsOf(url: string) {
  const response = await fetch(`${url}/stops`, { headers: { accept: "text/event-stream" } });
  let buffered = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    buffered += chunk;
    const events = buffered.split("\n\n");
    buffered = events.pop()!;
    for (const event of events) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(event)!;
      yield { name, html: JSON.parse(data!) as string };
    }
  }
}

/** The first update that holds the text. */
async function update(viewer: ReturnType<typeof eventsOf>, part: string): Promise<string> {
  for (;;) {
    const { value } = await viewer.next();
    if (!value) throw new Error(`the stream ended without ${part}`);
    if (value.html.includes(part)) return value.html;
  }
}

describe.skipIf(!redis)("the status page on a real Redis", () => {
  let web: Web;
  let stats: StatsStore;
  let sequence = 0;
  const client = createClient({ url: settings.REDIS_URL });

  beforeAll(async () => {
    await client.connect();
    stats = await openStats(settings);
    web = await startWeb({ settings });
  });
  beforeEach(() => client.flushDb());
  afterAll(async () => {
    await web?.close();
    await stats?.close();
    await client.flushDb();
    client.destroy();
  });

  const write = (stop: string, counts: [outcome: OutcomeKind, detail: string, n: number][]) =>
    stats.write({
      instance: "test",
      sequence: ++sequence,
      coversMs: 250,
      stops: [
        {
          stop,
          counts: counts.map(([outcome, detail, count]) => ({ outcome, detail, count })),
          worked: { 40: 90, 48: 10 },
          waited: { 60: 100 },
          from: [],
          lastSeen: Date.now(),
          gaps: 0,
        },
      ],
    });

  const get = async (path: string, options = {}) => {
    const response = await fetch(web.url + path, options);
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  const getJson = async (path: string) => JSON.parse((await get(path)).body) as Record<string, never>;

  async function writeDemo() {
    await write("Log", [["arrived", "", 1_200]]);
    await write("WhiteList", [
      ["forwarded", "Log", 1_200],
      ["dropped", "not on the white list", 34],
    ]);
    await write("Source", [
      ["forwarded", "WhiteList", 1_234],
      ["dead", "malformed", 5],
    ]);
  }

  test("a program gets what the original answered: the counter and hit_count, one more each time", async () => {
    await writeDemo();
    expect(await getJson("/")).toEqual({ Source: 1_239, WhiteList: 1_234, Log: 1_200, hit_count: 1 });
    expect(await getJson("/")).toMatchObject({ hit_count: 2 });
    expect((await get("/", { headers: { accept: "application/json" } })).headers.get("content-type")).toMatch("json");
    expect(await client.get("hits")).toBe("3");
  });

  test("a browser gets the page, with the numbers that were written, in travel order", async () => {
    await writeDemo();
    const { body, headers } = await get("/stops", wantsPage);
    expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(headers.get("vary")).toMatch(/accept/i);
    const page = readable(body);
    expect(page).toMatch(
      /Source .*Processed 1,239 .*Forwarded 1,234 99.6 % to WhiteList 1,234 .*Dead 5 0.4 % malformed 5/,
    );
    expect(page).toMatch(
      /WhiteList Processed 1,234 .*Forwarded 1,200 97.2 % to Log 1,200 .*Dropped 34 2.8 % not on the white list 34/,
    );
    expect(page).toMatch(/Log Processed 1,200 .*Arrived 1,200 100 %/);
    expect(page).toMatch(/Worked p50 · p95 1.2 ms · 4.9 ms Waited p50 · p95 39 ms · 39 ms/);
    expect(page).toMatch(/Processed 3,673 Forwarded 2,434 Arrived 1,200 Dropped 34 Dead 5/);
    expect(page).toContain("page opened 0 times");
    expect(body.match(/<h2[^>]*><a[^>]*><bdi>\w+/g)!.map((heading) => heading.replace(/.*>/, ""))).toEqual([
      "Source",
      "WhiteList",
      "Log",
    ]);
  });

  test("messages that were put off are told, and are not processed yet", async () => {
    await write("Log", [
      ["arrived", "", 4],
      ["later", "ECONNREFUSED", 1],
    ]);
    const page = readable((await get("/stops", wantsPage)).body);
    expect(page).toMatch(/Log Processed 4 .*Messages were put off 1 time: they failed, and are tried again later/);
    expect(await getJson("/api/v1/stops")).toMatchObject({ counter: { Log: 4 }, stops: [{ processed: 4, later: 1 }] });
  });

  test("a stop whose breaker is open is shown as paused, until it closes", async () => {
    const tell = (openSince: number) =>
      stats.write({
        instance: "test",
        sequence: ++sequence,
        coversMs: 250,
        stops: [
          {
            stop: "Log",
            counts: [],
            worked: {},
            waited: {},
            from: [],
            lastSeen: 0,
            gaps: 0,
            breaker: { openings: 0, openSince },
          },
        ],
      });
    const page = async () => readable((await get("/stops", wantsPage)).body);
    await tell(Date.now() - 180_000);
    expect(await page()).toContain("Held since its breaker opened, 3 min ago: nearly every message failed.");
    await tell(0);
    expect(await page()).not.toContain("Held");
  });

  test("only a GET of the first page counts as an opening", async () => {
    await get("/", { ...wantsPage, method: "HEAD" });
    await get("/api/v1/stops");
    await get("/readyz");
    expect(await client.get("hits")).toBe(null);
    await get("/stops", wantsPage);
    expect(await client.get("hits")).toBe(null);
    await get("/", wantsPage);
    expect(await client.get("hits")).toBe("1");
  });

  test("/api/v1/stops has everything", async () => {
    await writeDemo();
    const all = await getJson("/api/v1/stops");
    expect(all).toMatchObject({
      counter: { Source: 1_239, WhiteList: 1_234, Log: 1_200 },
      hits: 0,
      totals: { processed: 3_673, forwarded: 2_434, arrived: 1_200, dropped: 34, dead: 5 },
    });
    expect(all["stops"]).toMatchObject([
      { stop: "Source", counts: [{ outcome: "forwarded", detail: "WhiteList", count: 1_234 }, {}], uncounted: 0 },
      { stop: "WhiteList", workedMs: { p50: 2 ** (41 / 4) / 1_000, p95: 2 ** (49 / 4) / 1_000 } },
      { stop: "Log", arrived: 1_200, waitedMs: { p50: 2 ** (61 / 4) / 1_000 } },
    ]);
  });

  test("a Python stop, which only adds to the counter, is shown as one that tells no outcomes", async () => {
    await writeDemo();
    await client.hIncrBy("counter", "AddEmail", 77);
    await client.hIncrBy("counter", "Log", 23);
    const page = readable((await get("/stops", wantsPage)).body);
    expect(page).toMatch(/AddEmail Processed 77 .*Not told 77 100 %/);
    expect(page).toMatch(/Log Processed 1,223 .*Arrived 1,200 98.1 % .*Not told 23 1.9 %/);
  });

  test("without any message the page says what to do", async () => {
    const page = readable((await get("/stops", wantsPage)).body);
    expect(page).toContain("No message has passed yet");
    expect(page).toContain("npm start");
    expect(await getJson("/")).toEqual({ hit_count: 1 });
  });

  test("hostile names and reasons are text", async () => {
    const name = `<script>alert("1")</script>'"&amp;\u202e🚌${"x".repeat(1_000)}`;
    await write(name, [
      ["forwarded", `"><img src=x onerror=alert(1)>`, 1],
      ["dropped", "</bdi></li>\r\n\r\nevent: update", 2],
    ]);
    const { body } = await get("/stops", wantsPage);
    expect(body).not.toMatch(/<script>|<img/);
    expect(body).toContain("&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;&#39;&#34;&amp;amp;");
    const viewer = eventsOf(web.url);
    expect(await update(viewer, "&lt;/bdi&gt;&lt;/li&gt;")).not.toMatch(/<script>|<img/);
    await viewer.return(undefined);
    expect((await getJson("/"))[name]).toBe(3);
  });

  test("names that every object has are names", async () => {
    const names = ["__proto__", "constructor", "toString"];
    for (const name of names) await write(name, [["dropped", name, 4]]);
    await client.hIncrBy("counter", "valueOf", 4);
    const counts = [...names, "valueOf"].map((name) => [name, 4]);
    expect(Object.entries(await getJson("/"))).toEqual(expect.arrayContaining(counts));
    expect((await getJson("/api/v1/stops"))["totals"]).toMatchObject({ processed: 16, dropped: 12 });
    await client.del("counter");
    expect((await getJson("/api/v1/stops"))["totals"]).toMatchObject({ processed: 12, rate: expect.any(Number) });
    expect((await get("/stops", wantsPage)).body).not.toContain("NaN");
  });

  test("everything comes from its own origin, and nothing inline is allowed", async () => {
    const { headers, body } = await get("/stops", wantsPage);
    const policy = headers.get("content-security-policy")!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toMatch(/unsafe|upgrade-insecure-requests|\*|https?:/);
    expect(headers.get("x-powered-by")).toBe(null);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(body).not.toMatch(/ style=| on\w+=|<style|<script>|https?:/);
    const files = [...body.matchAll(/(?:href|src)="(\/[\w./]+\.\w+)"/g)].map(([, file]) => file!);
    expect(files.length).toBeGreaterThan(4);
    for (const file of files) expect([file, (await get(file)).status]).toEqual([file, 200]);
  });

  test("an address that does not exist, or can't be read, is a plain answer without a stack", async () => {
    const page = await get("/no/such/page", wantsPage);
    expect(page.status).toBe(404);
    expect(page.body).toContain("<h1>Not found</h1>");
    expect(await get("/no/such/thing")).toMatchObject({
      status: 404,
      body: expect.stringMatching(/^{"error":"Not found/),
    });
    const broken = await get("/%E0%A4%A", wantsPage);
    expect(broken.status).toBe(404);
    const refused = await get("/vendor/idiomorph.js", { headers: { "if-match": '"another"' } });
    expect(refused.status).toBe(412);
    expect(page.body + broken.body + refused.body).not.toMatch(/node_modules|at \w+ \(/);
    expect((await get("/", { method: "POST" })).status).toBe(404);
  });

  test("updates come as they are written, uncompressed, the same to all", async () => {
    await writeDemo();
    const headers = (
      await fetch(`${web.url}/stops`, {
        headers: { accept: "text/event-stream", "accept-encoding": "gzip" },
        method: "HEAD",
      })
    ).headers;
    expect(headers.get("content-type")).toMatch("text/event-stream");
    expect(headers.get("content-encoding")).toBe(null);
    const viewers = Array.from({ length: 20 }, () => eventsOf(web.url));
    for (const viewer of viewers) await update(viewer, "<dd>3,673</dd>");
    await write("Source", [["forwarded", "WhiteList", 1_000_000]]);
    const updates = await Promise.all(viewers.map((viewer) => update(viewer, "<dd>1,003,673</dd>")));
    expect(new Set(updates).size).toBe(1);
    for (const viewer of viewers) await viewer.return(undefined);
  });

  test("closing ends the live streams", async () => {
    const other = await startWeb({ settings });
    const viewer = eventsOf(other.url);
    await viewer.next();
    const rest = (async () => {
      for await (const _ of viewer);
    })();
    await other.close();
    await rest;
    await expect(fetch(other.url)).rejects.toThrow("fetch failed");
  });

  test("closing does not wait for a viewer that takes nothing", async () => {
    await write(
      "Big",
      Array.from({ length: 90 }, (_, n) => ["dropped", `${n} ${"reason ".repeat(1_000)}`, 1]),
    );
    const other = await startWeb({ settings });
    const { port } = new URL(other.url);
    const socket = connect({ port: Number(port) }).pause();
    socket.on("error", () => undefined);
    socket.write("GET /stops HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    await once(socket, "readable");
    await other.close();
    socket.destroy();
  });
});

describe("the status page without a Redis", () => {
  test("the page explains it, programs get 503, the process is alive", async () => {
    const port = await freePort();
    const web = await startWeb({
      settings: { METROBUS_STATS: "redis", REDIS_PORT: String(port), PORT: "0", LOG_LEVEL: "silent" },
    });
    const page = await fetch(web.url, wantsPage);
    expect(page.status).toBe(503);
    const shown = readable(await page.text());
    expect(shown).toContain("the numbers can’t be read: Redis at");
    expect(shown).toContain(`Redis at redis://localhost:${port}`);
    expect(shown).toContain("start it, correct REDIS_HOST and REDIS_PORT or REDIS_URL");
    expect(shown).not.toContain("No message has passed yet");
    for (const path of ["/", "/api/v1/stops", "/readyz"]) {
      const response = await fetch(web.url + path);
      expect(response.status).toBe(503);
      expect(await response.json()).toEqual({ error: expect.stringContaining("start it, correct REDIS_HOST") });
    }
    expect((await fetch(`${web.url}/healthz`)).status).toBe(200);
    await web.close();
  });

  test("a form that can't be carried out says so once, with a way back", async () => {
    const port = await freePort();
    const trusted = { WEB_TRUST_HEADER: "X-User", WEB_TRUST_PROXY: "127.0.0.1,::1" };
    const web = await startWeb({
      settings: { METROBUS_STATS: "redis", REDIS_PORT: String(port), PORT: "0", LOG_LEVEL: "silent", ...trusted },
    });
    const headers = { ...wantsPage.headers, "x-user": "ann", "sec-fetch-site": "same-origin" };
    const refused = await fetch(`${web.url}/stops/A/pause`, {
      method: "POST",
      headers: { ...headers, referer: `${web.url}/stops/A` },
    });
    expect(refused.status).toBe(503);
    const html = await refused.text();
    expect(readable(html)).toContain("start it, correct REDIS_HOST");
    expect(html).toContain('href="/stops/A">Back</a>');
    expect(html).not.toContain("tries again");
    expect(await (await fetch(`${web.url}/stops/A`, { headers })).text()).toContain("tries again");
    await web.close();
  });

  test("a port in use is one clear error that names PORT", async () => {
    const other = createServer().listen(0);
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const { code, errors } = await serve({ PORT: String(port) });
    expect(code).toBe(2);
    expect(errors.trim()).toBe(
      `metrobus: PORT=${port}: another process listens on this port already; set PORT to another port, such as PORT=${port + 1}`,
    );
    other.close();
  });

  test("counts in memory, which the page would never see, are one clear error", async () => {
    const { code, errors } = await serve({ METROBUS_STATS: "memory" });
    expect(code).toBe(2);
    expect(errors).toMatch(/^metrobus: METROBUS_STATS=memory .*set METROBUS_STATS=redis.*\n$/);
  });

  test("the process ends by SIGTERM with code 0 while someone watches", async () => {
    const port = await freePort();
    const url = `http://localhost:${port}`;
    const running = serve({ PORT: String(port) });
    await eventually(() =>
      fetch(`${url}/healthz`).then(
        (response) => response.ok,
        () => false,
      ),
    );
    await eventsOf(url).next();
    running.child.kill("SIGTERM");
    expect((await running).code).toBe(0);
  });
});

/** Runs the page as a process of its own; resolves when it has ended. */
function serve(env: Record<string, string>) {
  const child = spawn(process.execPath, ["web-status/server.ts"], {
    env: { ...process.env, ...settings, ...env },
  });
  const ended = Promise.all([once(child, "exit"), text(child.stderr)]).then(([[code], errors]) => ({
    code: code as number,
    errors,
  }));
  return Object.assign(ended, { child });
}
