import { createHash } from "node:crypto";
import { redisConnection, type RedisOptions } from "../redis/connection.ts";
import { FAILED_TRIPS, failuresKey, notKeptKey, TRIP_SHARES, tripKey, TRIPS, tripsOfKey } from "../redis/keys.ts";
import { script } from "../redis/script.ts";
import type { TripShare } from "../trip-share.ts";
import {
  BOARDING_SECONDS,
  hasFailed,
  inOrder,
  SHARES_KEPT,
  visitKey,
  type FailedVisit,
  type TripBounds,
  type TripNote,
  type TripStore,
  type TripVisit,
} from "../trip-store.ts";
import { RECORD_SCRIPT, type WrittenNote } from "./record-script.ts";

const VISIT = "visit:";

const record = script(RECORD_SCRIPT);

/** KEYS: the shares. ARGV: the share to add, and the one that has to be the last ("": there has to be none). */
const announce = script(`
if (redis.call("LINDEX", KEYS[1], -1) or "") ~= ARGV[2] then return end
redis.call("RPUSH", KEYS[1], ARGV[1])
redis.call("LTRIM", KEYS[1], -${SHARES_KEPT}, -1)
`);

/** Trips in Redis, for every process to see. */
export function redisTrips({ keepMs, most, ...options }: RedisOptions & Omit<TripBounds, "perSecond">): TripStore {
  const { ask, close } = redisConnection(options);
  return {
    async record({ notes, boarded, coversMs, notKept }) {
      const inASecond = Math.round(boarded * Math.min(1, 1_000 / Math.max(1, coversMs)));
      const args = [JSON.stringify(notes.map(written), wellFormed), inASecond, JSON.stringify(notKept), keepMs, most];
      const reply = await ask((client) => record(client, [TRIPS, FAILED_TRIPS, TRIP_SHARES], args));
      const [lately, shares] = reply as readonly [number, readonly string[]];
      return { boardedPerSecond: lately / BOARDING_SECONDS, shares: shares.map(readShare) };
    },
    async announce(share, last) {
      const args = [shareText(share), last ? shareText(last) : ""];
      await ask((client) => announce(client, [TRIP_SHARES], args));
    },
    async trip(id) {
      const fields = await ask((client) => client.hGetAll(tripKey(id)));
      const boarded = fields.get("boarded");
      if (boarded === undefined) return null;
      const visits = [...fields].flatMap(([field, json]) => (field.startsWith(VISIT) ? readJson<TripVisit>(json) : []));
      return {
        id,
        key: fields.get("key") ?? null,
        boarded: Number(boarded),
        header: fields.get("header") ?? "",
        visits: visits.toSorted(inOrder),
      };
    },
    newest: (limit, key) => {
      const among = key === undefined ? TRIPS : tripsOfKey(hashOf(key));
      return ask((client) => client.zTop(among, limit));
    },
    failed: (limit) => ask((client) => client.zTop(FAILED_TRIPS, limit)),
    failures: (stop) =>
      ask(async (client) => {
        const [found, more] = await Promise.all([client.lRange(failuresKey(stop)), client.get(notKeptKey(stop))]);
        return { visits: found.flatMap((json) => readJson<FailedVisit>(json)), notKept: Number(more ?? 0) };
      }),
    close: async () => close(),
  };
}

/** Redis's own JSON refuses half of a surrogate pair, which ids and topics of messages may have, and with it all notes. */
const wellFormed = (_: string, value: unknown): unknown => (typeof value === "string" ? value.toWellFormed() : value);

function written({ id, key, boarded, visits, header = "" }: TripNote): WrittenNote {
  return {
    id,
    key: key ?? "",
    keyHash: key === null ? "" : hashOf(key),
    boarded,
    header,
    headerAt: visits.at(-1)?.at ?? 0,
    visits: visits.map((visit) => ({
      field: VISIT + visitKey(visit),
      json: JSON.stringify(visit),
      stop: visit.stop,
      failure: hasFailed(visit) ? JSON.stringify({ id, key, boarded, ...visit }) : "",
    })),
  };
}

/** Keys may be personal data, and long: they stand in no name of a key of Redis. */
const hashOf = (key: string): string => createHash("sha256").update(key).digest("base64url").slice(0, 22);

const shareText = ({ from, halvings }: TripShare): string => `${from}:${halvings}`;

function readShare(text: string): TripShare {
  const [from = 0, halvings = 0] = text.split(":").map(Number);
  return { from, halvings };
}

function readJson<T>(json: string): T[] {
  try {
    return [JSON.parse(json) as T];
  } catch {
    return [];
  }
}
