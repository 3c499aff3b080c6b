import { redisConnection, type RedisOptions } from "../redis/connection.ts";
import {
  COUNTER,
  historyKey,
  HITS,
  INSTANCES,
  openKey,
  PAUSES,
  PRESENCES,
  RATE,
  sequenceKey,
  stopKey,
  STOPS,
} from "../redis/keys.ts";
import { script } from "../redis/script.ts";
import {
  SPANS,
  type Count,
  type Did,
  type Done,
  type Instance,
  type Lately,
  type OutcomeKind,
  type Pause,
  type Presence,
  type Snapshot,
  type StatsStore,
} from "../stats-store.ts";
import { FLUSH_SCRIPT } from "./flush-script.ts";
import { history, recentSteps, stepsOf } from "./history.ts";
import { presenceText, readPause, readPresence } from "./presence.ts";
import { RECENT_SCRIPT } from "./recent-script.ts";
import { byName, RATE_SECONDS, stopSnapshot, thereOrNot } from "./snapshot.ts";

const flush = script(FLUSH_SCRIPT);
const recent = script(RECENT_SCRIPT);

/**
 * Counts in Redis, for every process to see. Connects when it is first asked, so a Redis that is down keeps nobody from
 * starting, and again whenever the connection has broken. The Python original's `counter` and `hits` are kept.
 */
export function redisStats(options: RedisOptions): StatsStore {
  const { ask, close } = redisConnection(options);
  /** What was counted in full seconds, by second: that never changes again. */
  let rated: ReadonlyMap<number, ReadonlyMap<string, string>> = new Map();
  return {
    async write({ presence, ...counts }) {
      const keys = [sequenceKey(counts.instance), COUNTER, STOPS, INSTANCES, PRESENCES, PAUSES];
      const args = [JSON.stringify(counts), toldOf(presence)];
      return { paused: (await ask((client) => flush(client, keys, args))) as readonly string[] };
    },

    read: () =>
      ask(async (client): Promise<Snapshot> => {
        const [at, counter, hits, names, seen, presences, pauses] = await Promise.all([
          client.time(),
          client.hGetAll(COUNTER),
          client.get(HITS),
          client.sMembers(STOPS),
          client.zRangeWithScores(INSTANCES),
          client.hGetAll(PRESENCES),
          client.hGetAll(PAUSES),
        ]);
        const full = Array.from({ length: RATE_SECONDS }, (_, back) => Math.floor(at / 1_000) - back - 1);
        const [rates, stops, open] = await Promise.all([
          Promise.all(full.map(async (second) => rated.get(second) ?? client.hGetAll(`${RATE}${second}`))),
          Promise.all(names.map((name) => client.hGetAll(stopKey(name)))),
          Promise.all(names.map((name) => client.hGetAll(openKey(name)))),
        ]);
        rated = new Map(full.map((second, n) => [second, rates[n]!]));
        const lately = (what: string) => rates.reduce((sum, second) => sum + Number(second.get(what) ?? 0), 0);
        return {
          at,
          counter: Object.fromEntries([...counter].map(([topic, count]) => [topic, Number(count)])),
          hits: Number(hits ?? 0),
          stops: names
            .map((name, n) => {
              const whole = (field: string) => Number(stops[n]!.get(field) ?? 0);
              return stopSnapshot(name, readDone(stops[n]!), {
                lately: (count) => lately(count ? `${name}:${count.outcome}:${count.detail}` : name),
                lastSeen: whole("lastSeen"),
                gaps: whole("gaps"),
                breaker: { openings: whole("openings"), openSince: openSince(open[n]!, at) },
              });
            })
            .toSorted(byName),
          ...thereOrNot(
            seen.flatMap(([instance, seenAt]) => instanceOf(instance, seenAt, presences.get(instance) ?? "")),
            at,
          ),
          pauses: new Map([...pauses].map(([stop, text]) => [stop, readPause(text)])),
        };
      }),

    history: (stop, span) =>
      ask(async (client) => {
        const now = await client.time();
        const steps = stepsOf(span, now);
        const seconds = SPANS[span].stepMs / 1_000;
        const [totals, ...copies] = await Promise.all([
          client.hGetAll(stopKey(stop)),
          ...steps.map((step) => client.hGetAll(historyKey(seconds, step, stop))),
        ]);
        const byStep = new Map(steps.map((step, at) => [step, copies[at]!]));
        return history(span, now, readDone(totals), (step) => {
          const copy = byStep.get(step)!;
          return copy.size > 0 ? readDone(copy) : undefined;
        });
      }),

    recent: () =>
      ask(async (client) => {
        const now = await client.time();
        const windows = (["quarter", "minute"] as const).map((window) => recentSteps(window, now));
        const args = windows.map(({ span, steps }) =>
          JSON.stringify(steps.map((step) => historyKey(SPANS[span].stepMs / 1_000, step, ""))),
        );
        const found = (await recent(client, [STOPS], args)) as readonly [string, ...string[]][];
        const [quarter, minute] = windows.map(({ since }, n): Lately => {
          const did = found.filter((each) => each[n + 1] !== "");
          return { since, stops: new Map(did.map(([stop, ...grown]) => [stop, didOf(grown[n]!)])) };
        });
        return { quarter: quarter!, minute: minute! };
      }),

    hit: () => ask((client) => client.incr(HITS)),

    async pause(stop, by) {
      await ask((client) => client.hSetNX(PAUSES, stop, JSON.stringify({ by, at: Date.now() } satisfies Pause)));
    },

    async resume(stop) {
      await ask((client) => client.hDel(PAUSES, stop));
    },

    close: async () => close(),
  };
}

function didOf(grown: string): Did {
  const { counts, from } = readDone(hashOf(JSON.parse(grown) as string[]));
  return { counts, from };
}

/** As the flush script has it. */
const toldOf = (presence: Presence | undefined): string =>
  presence ? (presence.stops.length > 0 ? presenceText(presence) : "-") : "";

function instanceOf(instance: string, seenAt: number, json: string): Instance[] {
  const presence = readPresence(json);
  return presence ? [{ instance, seenAt, ...presence }] : [];
}

/** From the fields that the flush script writes. */
function readDone(fields: ReadonlyMap<string, string>): Done {
  const counts: Count[] = [];
  const [worked, waited]: [Record<number, number>, Record<number, number>] = [{}, {}];
  const from = new Map<string, Record<number, number>>();
  for (const [field, value] of fields) {
    const [kind, name = "", ...rest] = field.split(":");
    if (kind === "count") counts.push({ outcome: name as OutcomeKind, detail: rest.join(":"), count: Number(value) });
    if (kind === "worked") worked[Number(name)] = Number(value);
    if (kind === "waited") waited[Number(name)] = Number(value);
    if (kind === "from") {
      const stop = rest.join(":");
      const times = from.get(stop) ?? {};
      times[Number(name)] = Number(value);
      from.set(stop, times);
    }
  }
  return { counts, worked, waited, from: [...from].map(([stop, waited]) => ({ stop, waited })) };
}

/** A flat list of names and values, as scripts return hashes. */
function hashOf(flat: readonly string[]): ReadonlyMap<string, string> {
  return new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1]!] as const] : [])));
}

/** The earliest of those that are still said to be open. */
function openSince(open: ReadonlyMap<string, string>, at: number): number {
  const spans = [...open.values()].map((span) => span.split(":").map(Number) as [since: number, until: number]);
  const since = spans.filter(([, until]) => until > at).map(([since]) => since);
  return since.length > 0 ? Math.min(...since) : 0;
}
