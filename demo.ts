import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError, connect, hashPassword, loadConfig, MetroStop, type MetroBus, type Settings } from "metrobus";
import { busdriver } from "./busdriver/busdriver.ts";
import { topics } from "./busdriver/routes.ts";
import { generate } from "./data-gen/generate.ts";
import { push } from "./data-gen/pusher.ts";
import { counted, line, tally, type Tally } from "./demo-tally.ts";
import { accountBook } from "./stops/accounts.ts";
import { contactPoint } from "./stops/contact-point.ts";
import { elastic } from "./stops/elastic.ts";
import { log, logOptions } from "./stops/log.ts";
import { readList, whitelist } from "./stops/whitelist.ts";
import { startWeb } from "./web-status/server.ts";

export interface DemoOptions {
  /** Messages to push. */
  count: number;
  /** Messages per second; 0: as fast as it goes. */
  rate: number;
  /** End when every message has found its end, instead of showing the page until the signal. */
  exit: boolean;
  /** Print each logged message, and when stops begin and end. */
  verbose: boolean;
  /** When it resolves, no more is pushed, what is on its way arrives, and the demo ends. */
  untilSignal: Promise<unknown>;
  /** Where it says how it goes, in one line, and what stays to be read. */
  status: { show(text: string): void; print(text: string): void; end(): void };
}

/**
 * The whole pipeline in this process and in memory, whatever bus the environment names: makes the data where it is
 * missing, starts the page, the stops and the pusher. Resolves, drained, with what became of every message.
 */
export async function demo(options: DemoOptions): Promise<Tally> {
  const { status, untilSignal } = options;
  const ending = new AbortController();
  const { signal } = ending;
  void untilSignal.then(() => ending.abort());
  const password = randomBytes(9).toString("base64url");
  const settings = { ...inProcess(options.verbose), ...(await seeingAll(password)) };
  await using bus = await connect(settings);
  const web = await startWeb({ settings, bus });
  try {
    await generate({
      folder: bus.config.dataFolder,
      missingOnly: true,
      signal,
      onProgress: (path, lines) => status.show(`writing ${path}: ${lines.toLocaleString("en")} lines`),
    });
    status.end();
    const stops = signal.aborted ? [] : await startStops(bus, options);
    if (!signal.aborted)
      status.print(
        `The page is on ${web.url}${logIn(settings, password)} - Ctrl-C ends the demo and says what became of every message.`,
      );
    return await ride(bus, stops, options, signal);
  } finally {
    status.end();
    await web.close();
  }
}

/**
 * Half of SHUTDOWN_TIMEOUT is for the messages that are on their way, half for the stops to end. That stops begin and
 * end is no news here.
 */
function inProcess(verbose: boolean): Settings {
  const settings = { METROBUS_BUS: "memory", METROBUS_STATS: "memory", METROBUS_CREATE_TOPICS: "true" } as const;
  const { shutdownTimeoutMs, logLevel } = loadConfig(settings);
  return {
    ...settings,
    SHUTDOWN_TIMEOUT: `${Math.ceil(shutdownTimeoutMs / 2)}ms`,
    LOG_LEVEL: logLevel === "info" && !verbose ? "warn" : logLevel,
  };
}

/** The demo's messages are nobody's: everybody sees them whole, and an operator is made unless there is one. */
async function seeingAll(password: string): Promise<Settings> {
  const { web } = loadConfig({ METROBUS_BUS: "memory" });
  return {
    METROBUS_TRIPS: "payload",
    WEB_PUBLIC_DETAILS: "true",
    ...(web.operators.size === 0 && { WEB_OPERATORS: `demo:${await hashPassword(password)}` }),
  };
}

const logIn = ({ WEB_OPERATORS: made }: Settings, password: string): string =>
  made ? ` (log in as demo, ${password}, to act)` : "";

async function startStops(bus: MetroBus, { verbose, status }: DemoOptions): Promise<readonly MetroStop<never>[]> {
  const accounts = accountBook();
  const list = new Set<string>();
  await Promise.all([accounts.load(), readList(list)]);
  const print = verbose ? status.print : () => {};
  const target = bus.config.elastic ? { print, index: elastic(bus.config.elastic) } : { print };
  const stops = [
    new MetroStop("Source", busdriver, { bus, input: "raw", creates: topics }),
    new MetroStop("AddEmail", contactPoint(accounts), { bus }),
    new MetroStop("WhiteList", whitelist(list), { bus }),
    new MetroStop("Log", log(target), { bus, ...logOptions }),
  ];
  const unread = topics.filter((topic) => !stops.some((stop) => stop.topic === topic));
  if (unread.length > 0) {
    throw new ConfigError([
      `busdriver/routes.ts names ${unread.join(", ")}, which no stop of the demo reads: add the stop in demo.ts`,
    ]);
  }
  for (const stop of stops) await stop.start();
  return stops;
}

async function ride(
  bus: MetroBus,
  stops: readonly MetroStop<never>[],
  { count, rate, exit, status, untilSignal }: DemoOptions,
  signal: AbortSignal,
): Promise<Tally> {
  let pushed = 0;
  const now = async () => {
    const lanes = [];
    // In travel order: a message can't slip by between two looks.
    for (const { topic } of stops) lanes.push(...(await bus.state(topic)));
    return tally(pushed, await bus.stats.read(), lanes);
  };
  const showing = setInterval(() => void now().then((then) => status.show(line(then, count))), 1_000);
  try {
    pushed = await push(bus, { count, rate, signal, onProgress: (sent) => (pushed = sent) });
    if (!exit && pushed === count) status.print(`${counted(count, "message")} pushed - Ctrl-C ends the demo.`);
    if (!exit) await untilSignal;
    let deadline = Infinity;
    void untilSignal.then(() => (deadline = Date.now() + bus.config.shutdownTimeoutMs));
    while ((await now()).unfinished > 0 && Date.now() < deadline) await sleep(50);
  } finally {
    clearInterval(showing);
    await Promise.all(stops.map((stop) => stop.stop()));
  }
  return now();
}
