import {
  connect,
  MetroStop,
  type MetroBus,
  type Received,
  type Settings,
  type StopCallback,
  type StopOptions,
} from "metrobus";
import { eventually } from "./probe.ts";

/** A bus of its own in this process, with the stops that a test puts on it. */
export interface Line extends AsyncDisposable {
  readonly metro: MetroBus;
  stop<In>(topic: string, callback: StopCallback<In>, options?: StopOptions<In>): Promise<MetroStop<In>>;
  /** What lies in a topic, once it is at least so many. */
  records(topic: string, atLeast?: number): Promise<Received[]>;
  /** Outcome → detail → how many, of one stop, as its store has it after a flush. */
  counts(topic: string): Promise<Record<string, Record<string, number>>>;
}

export async function line(settings: Settings = {}): Promise<Line> {
  const metro = await connect({ METROBUS_BUS: "memory", METROBUS_PARTITIONS: "1", LOG_LEVEL: "silent", ...settings });
  const stops: MetroStop<never>[] = [];
  const all = async (topic: string) => {
    const found: Received[] = [];
    for (const { lane, low } of await metro.bus.state("nobody", topic)) {
      for await (const record of metro.bus.read(topic, lane, low, 1_000_000)) found.push(record);
    }
    return found;
  };
  return {
    metro,
    async stop(topic, callback, options = {}) {
      const stop = new MetroStop(topic, callback, { bus: metro, ...options });
      stops.push(stop);
      return stop.start();
    },
    async records(topic, atLeast = 0) {
      await eventually(async () => (await all(topic)).length >= atLeast);
      return all(topic);
    },
    async counts(topic) {
      await metro.recorder.flush();
      const found: Record<string, Record<string, number>> = {};
      const stop = (await metro.stats.read()).stops.find(({ stop: name }) => name === topic);
      for (const { outcome, detail, count } of stop?.counts ?? []) (found[outcome] ??= {})[detail] = count;
      return found;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stops.map((stop) => stop.stop()));
      await metro.close();
    },
  };
}

export const json = (record: Received): Record<string, unknown> =>
  JSON.parse(String(record.value)) as Record<string, unknown>;

/** A dead letter's headers, without their prefix. */
export const letterHeaders = (record: Received): Record<string, string> =>
  Object.fromEntries(
    record.headers
      .filter(([name]) => name.startsWith("dead-letter."))
      .map(([name, value]) => [name.slice("dead-letter.".length), String(value)]),
  );
