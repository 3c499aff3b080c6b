import { MAX_DETAILS, MOST_VANISHED, OPEN_KEPT_MS, PRESENT_MS, SPANS, VANISHED_MS } from "../stats-store.ts";
import { HISTORY, openKey, RATE, stopKey } from "../redis/keys.ts";

const WEEK = 7 * 86_400;
const RATE_KEPT = 60;
/** A Lua table: the length of a step, s → how long it is kept, s. */
const STEPS = Object.values(SPANS)
  .map(({ stepMs, steps }) => `[${stepMs / 1_000}] = ${(stepMs / 1_000) * (steps + 1)}`)
  .join(", ");

/**
 * Adds one flush, at once, and returns the stops that are paused: KEYS are the instance's sequence, the counter, the set of
 * stops, the instances, their presences, and the pauses; ARGV is the flush and its presence ("": none; "-": it ends) as JSON. A sequence
 * number that was there before changes nothing. Whatever can be wrong with the data, or with keys that somebody else has
 * written, fails in the first half, before anything has been changed.
 */
export const FLUSH_SCRIPT = `
local flush = cjson.decode(ARGV[1])
local paused = redis.call("HKEYS", KEYS[6])
if flush.sequence <= tonumber(redis.call("GET", KEYS[1]) or "0") then return paused end

local function whole(key, field)
  local value = redis.call("HGET", key, field) or "0"
  if not value:match("^-?%d+$") then error(key .. " has no whole number in " .. field .. ": " .. value) end
  return tonumber(value)
end

local time = redis.call("TIME")
local rate = "${RATE}" .. time[1]
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call("SISMEMBER", KEYS[3], "")
redis.call("ZCARD", KEYS[4])
redis.call("HLEN", KEYS[5])
for _, stop in ipairs(flush.stops) do
  stop.key = "${stopKey("")}" .. stop.stop
  stop.processed = 0
  stop.added = { gaps = stop.gaps }
  stop.openKey = "${openKey("")}" .. stop.stop
  redis.call("HLEN", stop.openKey)
  if stop.breaker then stop.added.openings = stop.breaker.openings end
  for _, count in ipairs(stop.counts) do
    count.other = "count:" .. count.outcome .. ":other"
    count.field = "count:" .. count.outcome .. ":" .. count.detail
    if count.outcome ~= "later" then stop.processed = stop.processed + count.count end
  end
  for bucket, times in pairs(stop.worked) do stop.added["worked:" .. bucket] = times end
  for bucket, times in pairs(stop.waited) do stop.added["waited:" .. bucket] = times end
  for _, from in ipairs(stop.from) do
    for bucket, times in pairs(from.waited) do stop.added["from:" .. bucket .. ":" .. from.stop] = times end
  end
  stop.isLatest = stop.lastSeen > whole(stop.key, "lastSeen")
  whole(KEYS[2], stop.stop)
  whole(rate, stop.stop)
end

local part = math.min(1, 1000 / math.max(1, flush.coversMs))
redis.call("SET", KEYS[1], flush.sequence, "EX", ${WEEK})
for _, stop in ipairs(flush.stops) do
  for step, kept in pairs({ ${STEPS} }) do
    local before = "${HISTORY}" .. step .. ":" .. math.floor(time[1] / step) .. ":" .. stop.stop
    if redis.call("EXISTS", before) == 0 then
      redis.call("COPY", stop.key, before)
      redis.call("HSET", before, "since", string.format("%.0f", now))
      redis.call("EXPIRE", before, kept)
    end
  end
  redis.call("HINCRBY", KEYS[2], stop.stop, stop.processed)
  redis.call("HINCRBY", rate, stop.stop, math.floor(stop.processed * part))
  redis.call("SADD", KEYS[3], stop.stop)
  for _, count in ipairs(stop.counts) do
    local field = count.field
    if redis.call("HEXISTS", stop.key, field) == 0 and redis.call("HINCRBY", stop.key, "details", 1) > ${MAX_DETAILS} then
      redis.call("HINCRBY", stop.key, "details", -1)
      field = count.other
    end
    redis.call("HINCRBY", stop.key, field, count.count)
    redis.call("HINCRBY", rate, stop.stop .. field:sub(6), math.floor(count.count * part))
  end
  for field, by in pairs(stop.added) do redis.call("HINCRBY", stop.key, field, by) end
  if stop.breaker and stop.breaker.openSince > 0 then
    local span = string.format("%.0f:%.0f", stop.breaker.openSince, now + ${OPEN_KEPT_MS})
    redis.call("HSET", stop.openKey, flush.instance, span)
    redis.call("PEXPIRE", stop.openKey, ${OPEN_KEPT_MS})
  elseif stop.breaker then
    redis.call("HDEL", stop.openKey, flush.instance)
  end
  if stop.isLatest then redis.call("HSET", stop.key, "lastSeen", stop.lastSeen) end
end
redis.call("EXPIRE", rate, ${RATE_KEPT})
if ARGV[2] ~= "" then
  redis.call("ZADD", KEYS[4], ARGV[2] == "-" and 0 or string.format("%.0f", now), flush.instance)
  redis.call("HSET", KEYS[5], flush.instance, ARGV[2])
end
local silent = redis.call("ZRANGEBYSCORE", KEYS[4], "-inf", now - ${PRESENT_MS})
local old = redis.call("ZCOUNT", KEYS[4], "-inf", now - ${VANISHED_MS})
for at = 1, math.max(old, #silent - ${MOST_VANISHED}) do
  redis.call("ZREM", KEYS[4], silent[at])
  redis.call("HDEL", KEYS[5], silent[at])
end
return paused
`;
