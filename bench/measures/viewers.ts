import { spawn } from "node:child_process";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { openStats, type StatsStore } from "metrobus";
import { row, type Measure } from "../measure.ts";
import { peerEnvironment } from "../peer.ts";
import type { Usage } from "../peers/answer.ts";

const VIEWERS = 200;
const STOPS = 500;
const INSTANCES = 100;
/** What they look at, in turn; half of all at the map. */
const VIEWS = ["/", "/stops", "/", "/stops/Stop-7", "/", "/stops/Stop-8?span=6h"];
const OPENED = 60;
const WARM_MS = 15_000;
const MEASURED_MS = 30_000;
const FLAGS = ["--optimize-for-size", "--no-maglev"];
const MALLOC = { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "131072" };
const TELL_MS = 2_000;

/** Two hundred people watch one page process, started as compose.yaml does: 500 stops that are at work, of 100 processes. */
export const viewers: Measure = {
  name: "viewers",
  async run({ cluster: { servers } }) {
    const settings = { KAFKA_BROKERS: servers.brokers, REDIS_URL: `${servers.redis}/7`, LOG_LEVEL: "error" };
    const stats = await openStats(settings);
    let sequence = 0;
    let telling = Promise.resolve();
    const timer = setInterval(() => (telling = tell(stats, ++sequence)), TELL_MS);
    const page = spawn(process.execPath, [...FLAGS, join(import.meta.dirname, "../peers/page.ts"), "{}"], {
      env: { ...peerEnvironment, ...settings, PORT: "0", NODE_ENV: "production", ...MALLOC },
      stdio: "pipe",
    });
    try {
      await tell(stats, ++sequence);
      const [said] = (await once(createInterface({ input: page.stderr }), "line")) as [string];
      const url = said.replace(/^page /, "");
      const answers = createInterface({ input: page.stdout });
      const usage = async () => {
        page.stdin.write("usage\n");
        const [line] = (await once(answers, "line")) as [string];
        return JSON.parse(line) as Usage;
      };
      const watching = await Promise.all(
        Array.from({ length: VIEWERS }, (_, n) => watch(url + VIEWS[n % VIEWS.length]!)),
      );
      await sleep(WARM_MS);
      const before = await usage();
      await sleep(MEASURED_MS);
      const after = await usage();
      const opened: number[] = [];
      for (let n = 0; n < OPENED; n++) opened.push(await open(url + VIEWS[n % VIEWS.length]!));
      for (const viewer of watching) viewer.destroy();
      const cores = (after.cpuSeconds - before.cpuSeconds) / (MEASURED_MS / 1_000);
      const what = `${VIEWERS} viewers of one page, ${STOPS} stops, ${INSTANCES} processes`;
      return {
        rows: [
          row(`${what}: memory`, "MB", [after.memoryMB], { atMost: 250 }),
          row(`${what}: of a core`, "%", [cores * 100], { atMost: 50 }),
          row(`${what}: one more opens a view, the slowest of ${OPENED}`, "ms", [Math.max(...opened)], {
            atMost: 1_000,
          }),
        ],
      };
    } finally {
      clearInterval(timer);
      await telling;
      page.stdin.end();
      await once(page, "close");
      await stats.close();
    }
  },
};

/** Milliseconds until all of it is there, which shows what is to be seen without any script. */
async function open(url: string): Promise<number> {
  const begun = performance.now();
  const page = await fetch(url, { headers: { accept: "text/html" } });
  const html = await page.text();
  if (!html.includes("</html>")) throw new Error(`${url} answered ${page.status} with ${html.length} characters`);
  return performance.now() - begun;
}

/** Reads on and on, as a browser does. */
async function watch(url: string): Promise<IncomingMessage> {
  const request = get(url, { headers: { accept: "text/event-stream" }, agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}`);
  response.resume().on("error", () => undefined);
  return response;
}

/** Every stop of every process has done something, and forwards to the next one. */
async function tell(stats: StatsStore, sequence: number): Promise<void> {
  const perInstance = STOPS / INSTANCES;
  for (let at = 0; at < INSTANCES; at++) {
    const names = Array.from({ length: perInstance }, (_, n) => at * perInstance + n);
    const lane = {
      lane: "0",
      position: sequence * 100,
      end: sequence * 100 + 7,
      movedAt: Date.now(),
      standingMs: 0,
      growth: 0,
    };
    await stats.write({
      instance: `host-${at}-0000${at}`,
      sequence,
      coversMs: TELL_MS,
      stops: names.map((n) => ({
        stop: `Stop-${n}`,
        counts: [
          { outcome: "forwarded" as const, detail: `Stop-${(n + 1) % STOPS}`, count: 90 },
          { outcome: "dropped" as const, detail: "not wanted", count: 10 },
        ],
        worked: { 30: 90, 44: 10 },
        waited: { 50: 100 },
        from: [{ stop: `Stop-${(n + STOPS - 1) % STOPS}`, waited: { 50: 100 } }],
        lastSeen: Date.now(),
        gaps: 0,
      })),
      presence: {
        host: `host-${at}`,
        pid: at,
        version: "v1",
        startedAt: Date.now() - 60_000,
        stops: names.map((n) => ({
          stop: `Stop-${n}`,
          group: `metrobus.Stop-${n}`,
          delivery: "at-least-once" as const,
          paused: false,
          problems: [],
          lanes: [lane],
        })),
      },
    });
  }
}
