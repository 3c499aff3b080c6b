import { BOARDED, failuresKey, notKeptKey, tripKey, tripsOfKey } from "../redis/keys.ts";
import {
  BOARDING_SECONDS,
  FAILED_KEPT,
  FAILURE_KEPT_MS,
  FAILURES_KEPT,
  TRIPS_OF_KEY,
  VISITS_KEPT,
} from "../trip-store.ts";

const BOARDED_KEPT = 60;

/** A note as the script takes it: what is to be kept as text is text already. */
export interface WrittenNote {
  readonly id: string;
  /** "": it has none. */
  readonly key: string;
  readonly keyHash: string;
  readonly boarded: number;
  /** "": none. */
  readonly header: string;
  readonly headerAt: number;
  /** `failure`: as a failed visit is kept; "": it has not failed. */
  readonly visits: readonly {
    readonly field: string;
    readonly json: string;
    readonly stop: string;
    readonly failure: string;
  }[];
}

/**
 * Adds what a process has noted; returns how many messages boarded in the last full seconds, and the shares. KEYS are the trips,
 * those that failed, and the shares; ARGV is the notes, how many messages boarded in a second, the failures that are not kept, as JSON,
 * and for how long and how many trips are kept.
 */
export const RECORD_SCRIPT = `
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = string.format("%.0f", now)
for _, note in ipairs(cjson.decode(ARGV[1])) do
  local trip = "${tripKey("")}" .. note.id
  if redis.call("HEXISTS", trip, "boarded") == 0 then
    redis.call("HSET", trip, "boarded", string.format("%.0f", note.boarded), "visits", 0)
    if note.keyHash ~= "" then redis.call("HSET", trip, "key", note.key) end
  end
  local kept = tonumber(redis.call("HGET", trip, "visits"))
  local failed = false
  for _, visit in ipairs(note.visits) do
    local isNew = redis.call("HEXISTS", trip, visit.field) == 0
    if isNew and kept < ${VISITS_KEPT} then
      redis.call("HSET", trip, visit.field, visit.json)
      kept = kept + 1
    end
    if visit.failure ~= "" then
      failed = true
      if isNew then
        local failures = "${failuresKey("")}" .. visit.stop
        redis.call("LPUSH", failures, visit.failure)
        redis.call("LTRIM", failures, 0, ${FAILURES_KEPT - 1})
        redis.call("PEXPIRE", failures, ${FAILURE_KEPT_MS})
      end
    end
  end
  redis.call("HSET", trip, "visits", kept)
  if note.header ~= "" and note.headerAt >= tonumber(redis.call("HGET", trip, "headerAt") or "0") then
    redis.call("HSET", trip, "header", note.header, "headerAt", string.format("%.0f", note.headerAt))
  end
  redis.call("PEXPIRE", trip, ARGV[4])
  redis.call("ZADD", KEYS[1], "NX", at, note.id)
  if failed then redis.call("ZADD", KEYS[2], "NX", at, note.id) end
  if note.keyHash ~= "" then
    local same = "${tripsOfKey("")}" .. note.keyHash
    redis.call("ZADD", same, "NX", at, note.id)
    redis.call("ZREMRANGEBYRANK", same, 0, -${TRIPS_OF_KEY + 1})
    redis.call("PEXPIRE", same, ARGV[4])
  end
end
local old = now - ARGV[4]
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
trim(KEYS[1], tonumber(ARGV[5]), KEYS[2])
trim(KEYS[2], ${FAILED_KEPT}, KEYS[1])

for stop, count in pairs(cjson.decode(ARGV[3])) do
  redis.call("INCRBY", "${notKeptKey("")}" .. stop, count)
  redis.call("PEXPIRE", "${notKeptKey("")}" .. stop, ${FAILURE_KEPT_MS})
end
if ARGV[2] ~= "0" then
  redis.call("INCRBY", "${BOARDED}" .. time[1], ARGV[2])
  redis.call("EXPIRE", "${BOARDED}" .. time[1], ${BOARDED_KEPT})
end
local boarded = 0
for back = 1, ${BOARDING_SECONDS} do
  boarded = boarded + tonumber(redis.call("GET", "${BOARDED}" .. string.format("%.0f", time[1] - back)) or "0")
end
return { boarded, redis.call("LRANGE", KEYS[3], 0, -1) }
`;
