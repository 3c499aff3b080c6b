import { setTimeout as sleep } from "node:timers/promises";
import { connect, type MetroBus } from "metrobus";
import { start, type Running } from "../support/program.ts";
import { ask, type Told } from "../support/reporting.ts";
import { expected, topicsOf, type Variant } from "./variants.ts";
import type { Sample } from "./verdict.ts";

export interface SoakOptions {
  readonly brokers: string;
  readonly redis: string;
  readonly variant: Variant;
  readonly minutes: number;
  /** Messages a second; 0: half of what it can do. */
  readonly rate: number;
  readonly onSample: (sample: Sample) => void;
}

export interface Soaked {
  readonly rate: number;
  readonly sent: number;
  readonly samples: readonly Sample[];
  /** What is wrong with the counts. */
  readonly miscounted: readonly string[];
}

const TICK_MS = 100;
const STOOD_STILL_MS = 5_000;
const AT_ONCE = 2_000;
const WARM_UP_MS = 5_000;
const CALIBRATION_MS = 10_000;
const MOST_WAITING = 20_000;
/** A minute, or less when the whole is short. */
const SAMPLES = 30;
const DRAIN_MS = 120_000;

/** Puts a steady load on a process of its own, and looks at it. Throws when it ends. */
export async function soak({ brokers, redis, variant, minutes, rate: wanted, onSample }: SoakOptions): Promise<Soaked> {
  const settings = {
    METROBUS_BUS: "kafka",
    KAFKA_BROKERS: brokers,
    REDIS_URL: redis,
    METROBUS_STATS: "redis",
    METROBUS_CREATE_TOPICS: "true",
    METROBUS_DELIVERY: variant.delivery,
    LOG_LEVEL: "fatal",
  };
  await using metro = await connect(settings);
  const { source, work, done } = topicsOf(variant);
  await metro.create([source, work, done]);
  const line = { metro, source, work };
  const program = [process.execPath, "--expose-gc", "tests/soak/fixtures/pipeline.ts", JSON.stringify(variant)];
  const running = start(program, settings);
  const ended = running.ended.then(({ stderr }) => {
    throw new Error(`the process has ended: ${stderr.slice(-2_000)}`);
  });
  ended.catch(() => undefined);
  try {
    await running.printed(/ready/);
    const { most, sent } = await Promise.race([calibrated(line), ended]);
    const rate = wanted || Math.max(1, Math.round(most / 2));
    await Promise.race([drained(line), ended]);
    const loaded = await Promise.race([load(line, running, { sent, rate, minutes, onSample }), ended]);
    await Promise.race([drained(line), ended]);
    const told = await ask(running, loaded.samples.length + 1);
    return { rate, ...loaded, miscounted: miscounted(told, loaded.sent, variant) };
  } finally {
    running.process.kill("SIGKILL");
  }
}

interface Line {
  readonly metro: MetroBus;
  readonly source: string;
  readonly work: string;
}

/** Returns the number of the next message. */
async function send({ metro, source }: Line, from: number, count: number): Promise<number> {
  for (let first = from; first < from + count; first += AT_ONCE) {
    const many = Math.min(AT_ONCE, from + count - first);
    await metro.bus.send(
      Array.from({ length: many }, (_, at) => ({
        topic: source,
        key: Buffer.from(String((first + at) % 10_000)),
        value: Buffer.from(JSON.stringify({ n: first + at, text: "x".repeat(150) })),
        headers: [],
      })),
    );
  }
  return from + count;
}

async function lag({ metro, source, work }: Line): Promise<number> {
  const lanes = (await Promise.all([metro.state(source), metro.state(work)])).flat();
  return lanes.reduce((sum, { position, end }) => sum + Number(end - position), 0);
}

async function drained(line: Line): Promise<void> {
  const deadline = Date.now() + DRAIN_MS;
  // Twice: what is put off comes back behind the first look.
  for (let looks = 0; looks < 2;) {
    looks = (await lag(line)) === 0 ? looks + 1 : 0;
    if (Date.now() > deadline) throw new Error(`${await lag(line)} messages still wait after ${DRAIN_MS / 1_000} s`);
    await sleep(7_000);
  }
}

/**
 * Messages a second that it can do beside whoever sends them: as much is sent as it takes, for a while in which it warms
 * up and another one that counts. Returns how many were sent, too.
 */
async function calibrated(line: Line): Promise<{ most: number; sent: number }> {
  const done = async () => (await line.metro.state(line.work)).reduce((sum, { position }) => sum + Number(position), 0);
  let sent = 0;
  const takeFor = async (ms: number) => {
    const [began, before] = [performance.now(), await done()];
    while (performance.now() - began < ms) {
      if ((await lag(line)) > MOST_WAITING) await sleep(20);
      else sent = await send(line, sent, AT_ONCE);
    }
    return (((await done()) - before) * 1_000) / (performance.now() - began);
  };
  await takeFor(WARM_UP_MS);
  return { most: await takeFor(CALIBRATION_MS), sent };
}

type Load = Pick<SoakOptions, "rate" | "minutes" | "onSample"> & { readonly sent: number };

async function load(line: Line, running: Running, options: Load) {
  const { rate, minutes, onSample } = options;
  let began = performance.now();
  const passed = () => performance.now() - began;
  const every = Math.min(60_000, (minutes * 60_000) / SAMPLES);
  const samples: Sample[] = [];
  let { sent } = options;
  const first = sent;
  for (let last = passed(); passed() < minutes * 60_000; last = passed()) {
    await sleep(TICK_MS);
    // A machine that stood still has nothing to catch up with: that would be another load than the steady one.
    const still = passed() - last;
    if (still > STOOD_STILL_MS) began += still;
    const due = first + Math.floor((passed() / 1_000) * rate);
    if (due > sent) sent = await send(line, sent, due - sent);
    if (passed() >= every * (samples.length + 1)) {
      const waiting = await lag(line);
      const sample = { minutes: passed() / 60_000, lag: waiting, ...(await ask(running, samples.length + 1)) };
      samples.push(sample);
      onSample(sample);
    }
  }
  return { sent, samples };
}

function miscounted({ counts }: Told, sent: number, variant: Variant): string[] {
  const { source, work } = topicsOf(variant);
  const wanted = { forwarded: 0, dropped: 0, dead: 0, later: 0 };
  for (let n = 0; n < sent; n++) {
    const outcome = expected(n, variant);
    wanted[outcome]++;
    if (outcome === "later") wanted.forwarded++;
    // It is put off as often as there are delays.
    if (outcome === "dead" && variant.later) wanted.later += 2;
  }
  const [atSource, atWork] = [counts[source] ?? {}, counts[work] ?? {}];
  return [
    ...(atSource["forwarded"] === sent ? [] : [`${sent} sent, ${atSource["forwarded"]} forwarded by the busdriver`]),
    ...Object.entries(wanted)
      .filter(([outcome, count]) => (atWork[outcome] ?? 0) !== count)
      .map(([outcome, count]) => `${outcome}: ${atWork[outcome] ?? 0} in the place of ${count}`),
  ];
}
