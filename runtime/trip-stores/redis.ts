import { createHash } from "node:crypto";
import { defineScript } from "redis";
import { redisConnection, type RedisOptions } from "../redis/connection.ts";
import { FAILED_TRIPS, tripKey, TRIPS, tripsOfKey } from "../redis/keys.ts";
import {
  FAILED_KEPT,
  hasFailed,
  TRIP_KEPT_MS,
  TRIPS_KEPT,
  TRIPS_OF_KEY,
  VISITS_KEPT,
  type TripStore,
  type TripVisit,
} from "../trip-store.ts";

/** KEYS: the trips, those that failed. ARGV: for each visit its id, its key's hash ("": none), "1" if it failed, and itself as JSON. */
const record = defineScript({
  SCRIPT: `
local time = redis.call("TIME")
local now = string.format("%.0f", time[1] * 1000 + math.floor(time[2] / 1000))
for at = 1, #ARGV, 4 do
  local id, of, failed, visit = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local trip = "${tripKey("")}" .. id
  if redis.call("LLEN", trip) < ${VISITS_KEPT} then redis.call("RPUSH", trip, visit) end
  redis.call("PEXPIRE", trip, ${TRIP_KEPT_MS})
  redis.call("ZADD", KEYS[1], "NX", now, id)
  if failed == "1" then redis.call("ZADD", KEYS[2], "NX", now, id) end
  if of ~= "" then
    local same = "${tripsOfKey("")}" .. of
    redis.call("ZADD", same, "NX", now, id)
    redis.call("ZREMRANGEBYRANK", same, 0, -${TRIPS_OF_KEY + 1})
    redis.call("PEXPIRE", same, ${TRIP_KEPT_MS})
  end
end
local old = now - ${TRIP_KEPT_MS}
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", old)
redis.call("ZREMRANGEBYSCORE", KEYS[2], "-inf", old)
local function trim(trips, kept, others)
  local more = redis.call("ZCARD", trips) - kept
  if more <= 0 then return end
  for _, id in ipairs(redis.call("ZRANGE", trips, 0, more - 1)) do
    if not redis.call("ZSCORE", others, id) then redis.call("DEL", "${tripKey("")}" .. id) end
  end
  redis.call("ZREMRANGEBYRANK", trips, 0, more - 1)
end
trim(KEYS[1], ${TRIPS_KEPT}, KEYS[2])
trim(KEYS[2], ${FAILED_KEPT}, KEYS[1])
return nil
`,
  NUMBER_OF_KEYS: 2,
  parseCommand: (parser, visits: readonly TripVisit[]) => {
    parser.pushKey(TRIPS);
    parser.pushKey(FAILED_TRIPS);
    for (const visit of visits)
      parser.push(visit.id, hashOf(visit.key), hasFailed(visit) ? "1" : "0", JSON.stringify(visit));
  },
  transformReply: (reply: unknown) => reply,
});

/** Keys may be personal data, and long: they stand in no name of a key of Redis. */
const hashOf = (key: string | null): string =>
  key === null ? "" : createHash("sha256").update(key).digest("base64url").slice(0, 22);

/** Trips in Redis, for every process to see. */
export function redisTrips(options: RedisOptions): TripStore {
  const { ask, close } = redisConnection(options, { record });
  return {
    async record(visits) {
      if (visits.length > 0) await ask((client) => client.record(visits));
    },
    trip: async (id) => (await ask((client) => client.lRange(tripKey(id), 0, -1))).flatMap(readVisit),
    newest: (limit, key) => {
      const among = key === undefined ? TRIPS : tripsOfKey(hashOf(key));
      return ask((client) => client.zRange(among, 0, limit - 1, { REV: true }));
    },
    failed: (limit) => ask((client) => client.zRange(FAILED_TRIPS, 0, limit - 1, { REV: true })),
    close: async () => close(),
  };
}

function readVisit(text: string): TripVisit[] {
  try {
    return [JSON.parse(text) as TripVisit];
  } catch {
    return [];
  }
}
