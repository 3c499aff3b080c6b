import { defineScript, RESP_TYPES } from "redis";
import { redisConnection, type RedisOptions } from "../redis/connection.ts";
import {
  COUNTER,
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
import {
  PRESENT_MS,
  type Count,
  type Instance,
  type OutcomeKind,
  type Pause,
  type Presence,
  type Snapshot,
  type StatsStore,
  type StopSnapshot,
} from "../stats-store.ts";
import { FLUSH_SCRIPT } from "./flush-script.ts";
import { presenceText, readPause, readPresence } from "./presence.ts";
import { byName, RATE_SECONDS, stopSnapshot } from "./snapshot.ts";

/** A topic may be called `__proto__` or `constructor`, which an object has or loses by itself. */
const HASH_AS_MAP = { [RESP_TYPES.MAP]: Map };

const flush = defineScript({
  SCRIPT: FLUSH_SCRIPT,
  NUMBER_OF_KEYS: 6,
  parseCommand: (parser, keys: readonly string[], json: string, presence: string) => {
    for (const key of keys) parser.pushKey(key);
    parser.push(json, presence);
  },
  transformReply: (reply: unknown) => reply as readonly string[],
});

/**
 * Counts in Redis, for every process to see. Connects when it is first asked, so a Redis that is down keeps nobody from
 * starting, and again whenever the connection has broken. The Python original's `counter` and `hits` are kept.
 */
export function redisStats(options: RedisOptions): StatsStore {
  const { ask, close } = redisConnection(options, { flush });
  return {
    async write({ presence, ...flush }) {
      const keys = [sequenceKey(flush.instance), COUNTER, STOPS, INSTANCES, PRESENCES, PAUSES];
      const [json, told] = [JSON.stringify(flush), toldOf(presence)];
      return { paused: await ask((client) => client.flush(keys, json, told)) };
    },

    read: () =>
      ask(async (connected): Promise<Snapshot> => {
        const client = connected.withTypeMapping(HASH_AS_MAP);
        const [[seconds, microseconds], counter, hits, names, seen, presences, pauses] = await Promise.all([
          client.time(),
          client.hGetAll(COUNTER),
          client.get(HITS),
          client.sMembers(STOPS),
          client.zRangeWithScores(INSTANCES, 0, -1),
          client.hGetAll(PRESENCES),
          client.hGetAll(PAUSES),
        ]);
        const full = Array.from({ length: RATE_SECONDS }, (_, back) => RATE + String(Number(seconds) - back - 1));
        const [rates, stops, open] = await Promise.all([
          Promise.all(full.map((second) => client.hGetAll(second))),
          Promise.all(names.map((name) => client.hGetAll(stopKey(name)))),
          Promise.all(names.map((name) => client.hGetAll(openKey(name)))),
        ]);
        const at = Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
        const recent = (stop: string) => rates.reduce((sum, second) => sum + Number(second.get(stop) ?? 0), 0);
        return {
          at,
          counter: Object.fromEntries([...counter].map(([topic, count]) => [topic, Number(count)])),
          hits: Number(hits ?? 0),
          stops: names
            .map((name, n) => readStop(name, stops[n]!, recent(name), openSince(open[n]!, at)))
            .toSorted(byName),
          instances: seen
            .filter(({ score }) => score > at - PRESENT_MS)
            .flatMap(({ value, score }) => instanceOf(value, score, presences.get(value) ?? ""))
            .toSorted((a, b) => (a.instance < b.instance ? -1 : 1)),
          pauses: new Map([...pauses].map(([stop, text]) => [stop, readPause(text)])),
        };
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

/** As the flush script has it. */
const toldOf = (presence: Presence | undefined): string =>
  presence ? (presence.stops.length > 0 ? presenceText(presence) : "-") : "";

function instanceOf(instance: string, seenAt: number, json: string): Instance[] {
  const presence = readPresence(json);
  return presence ? [{ instance, seenAt, ...presence }] : [];
}

/** From the fields that the flush script writes. */
function readStop(stop: string, fields: ReadonlyMap<string, string>, recent: number, openSince: number): StopSnapshot {
  const counts: Count[] = [];
  const worked: Record<number, number> = {};
  const waited: Record<number, number> = {};
  for (const [field, value] of fields) {
    const [kind, name = "", ...detail] = field.split(":");
    if (kind === "count") counts.push({ outcome: name as OutcomeKind, detail: detail.join(":"), count: Number(value) });
    if (kind === "worked") worked[Number(name)] = Number(value);
    if (kind === "waited") waited[Number(name)] = Number(value);
  }
  const whole = (field: string) => Number(fields.get(field) ?? 0);
  const breaker = { openings: whole("openings"), openSince };
  return stopSnapshot(stop, counts, recent, {
    lastSeen: whole("lastSeen"),
    worked,
    waited,
    gaps: whole("gaps"),
    breaker,
  });
}

/** The earliest of those that are still said to be open. */
function openSince(open: ReadonlyMap<string, string>, at: number): number {
  const spans = [...open.values()].map((span) => span.split(":").map(Number) as [since: number, until: number]);
  const since = spans.filter(([, until]) => until > at).map(([since]) => since);
  return since.length > 0 ? Math.min(...since) : 0;
}
