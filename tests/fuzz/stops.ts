import { connect, deadLetters, MetroStop, routed, type MetroBus, type StopCallback, type StopOptions } from "metrobus";
import { z } from "zod";
import { asItWas } from "../../runtime/buses/later/parked.ts";
import type { HostileRecord } from "./hostile.ts";
import { STOPS } from "./values.ts";

/** Running stops on the memory bus, one of each kind: whatever comes, each record is accounted for. */

export type Outcomes = Record<string, number>;

interface Subject {
  readonly callback: StopCallback<never>;
  readonly options?: StopOptions<never>;
}

const LATER_MS = 100;
let turn = 0;

/** Every so many messages it fails, whatever the message. */
const failing = (times: number) => {
  if (++turn % times === 0) throw new RangeError("as a callback does now and then");
};

const schema = z.looseObject({ route: z.array(z.string()).optional() }).or(z.array(z.unknown()));

const subjects: Readonly<Record<(typeof STOPS)[number], Subject>> = {
  Passing: { callback: (_, context) => (turn++ % 7 === 0 ? context.drop("one of seven") : context.pass()) },
  Changing: {
    callback(message: object, context) {
      failing(20);
      if (turn % 30 === 0 && context.route.ahead.length > 0) context.fork({ of: message });
      return Array.isArray(message) ? [message] : { ...message, seen: true };
    },
    options: { concurrency: 8, retries: { baseMs: 0 } },
  },
  Driving: {
    callback: (message: { route?: string[] }) => routed(message, message.route ?? ["Passing", "Next"]),
    options: { input: "raw", schema: schema as never, concurrency: 16 },
  },
  Once: {
    callback(_, context) {
      failing(9);
      return context.pass();
    },
    options: { once: true, retries: { attempts: 1, later: [`${LATER_MS}ms`] } },
  },
  Transacting: { callback: (message) => Promise.resolve(message), options: { delivery: "exactly-once" } },
};

/** Sends each record to one of the stops and waits until nothing is left to do. Throws where one is not accounted for. */
export async function throughStops(records: readonly HostileRecord[]): Promise<Outcomes> {
  await using metro = await connect({
    METROBUS_BUS: "memory",
    METROBUS_PARTITIONS: "1",
    METROBUS_MAX_HOPS: "5",
    LOG_LEVEL: "silent",
  });
  await metro.create(["Next", "Other"]);
  const stops = STOPS.map(
    (name) => new MetroStop(name, subjects[name].callback, { ...subjects[name].options, bus: metro }),
  );
  await Promise.all(stops.map((stop) => stop.start()));
  await metro.bus.send(
    records.map(({ key, value, headers }, n) => ({ topic: STOPS[n % STOPS.length]!, key, value, headers })),
  );
  await Promise.race([drained(metro), ...stops.map(async (stop) => Promise.reject(await stop.failed))]);
  const outcomes = await accounted(metro);
  await Promise.all(stops.map((stop) => stop.stop()));
  return outcomes;
}

/** A record that is put off is in its tier's topic or in the stop's: only a look that finds nothing moved in between tells. */
async function drained(metro: MetroBus): Promise<void> {
  const tier = `${metro.config.consumerGroup}.Once.later.${LATER_MS}ms`;
  const look = async () => {
    const states = await Promise.all([...STOPS.map((stop) => metro.state(stop)), metro.bus.state(tier, tier)]);
    const lanes = states.flat();
    return { ends: String(lanes.map(({ end }) => end)), done: lanes.every(({ position, end }) => position === end) };
  };
  for (let before = ""; ;) {
    const { ends, done } = await look();
    if (done && ends === before) return;
    before = done ? ends : "";
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function accounted(metro: MetroBus): Promise<Outcomes> {
  const outcomes: Outcomes = {};
  await metro.recorder.flush();
  const { stops } = await metro.stats.read();
  for (const name of STOPS) {
    const counts = stops.find(({ stop }) => stop === name)?.counts ?? [];
    const counted = counts.reduce((sum, { count }) => sum + count, 0);
    const [lane] = await metro.state(name);
    let others = 0;
    for await (const record of metro.bus.read(name, "0", 0n, 1_000_000))
      if (asItWas(record, `${metro.config.consumerGroup}.${name}`) === null) others++;
    if (lane!.low > 0n) throw new Error(`broken: so many came to ${name} that the first are gone: send fewer at once`);
    if (counted + others !== Number(lane!.end))
      throw new Error(`broken: ${lane!.end} came to ${name}, ${counted} are counted, ${others} are not for it`);
    for (const { outcome, count } of counts) outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
    outcomes["not for the stop's group"] = (outcomes["not for the stop's group"] ?? 0) + others;
  }
  let letters = 0;
  for await (const { payload, visited } of deadLetters(metro).list()) if (payload !== visited) letters++;
  if (letters !== (outcomes["dead"] ?? 0))
    throw new Error(`broken: ${outcomes["dead"]} are dead, of ${letters} there is a letter`);
  return outcomes;
}
