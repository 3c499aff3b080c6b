import { MAX_DETAILS } from "../stats-store.ts";
import { RATE, stopKey } from "./keys.ts";

const WEEK = 7 * 86_400;
const RATE_KEPT = 60;

/**
 * Adds one flush, at once: KEYS are the instance's sequence, the counter and the set of stops; ARGV is the flush as
 * JSON. A sequence number that was there before changes nothing. The counter comes first: should it be no hash of
 * integers, the script fails before it has changed anything.
 */
export const FLUSH_SCRIPT = `
local flush = cjson.decode(ARGV[1])
if flush.sequence <= tonumber(redis.call("GET", KEYS[1]) or "0") then return 0 end

local processed = {}
for at, stop in ipairs(flush.stops) do
  processed[at] = 0
  for _, count in ipairs(stop.counts) do processed[at] = processed[at] + count.count end
  redis.call("HINCRBY", KEYS[2], stop.stop, processed[at])
end
redis.call("SET", KEYS[1], flush.sequence, "EX", ${WEEK})

local rate = "${RATE}" .. redis.call("TIME")[1]
for at, stop in ipairs(flush.stops) do
  local key = "${stopKey("")}" .. stop.stop
  redis.call("SADD", KEYS[3], stop.stop)
  redis.call("HINCRBY", rate, stop.stop, processed[at])
  for _, count in ipairs(stop.counts) do
    local field = "count:" .. count.outcome .. ":" .. count.detail
    if redis.call("HEXISTS", key, field) == 0 and redis.call("HINCRBY", key, "details", 1) > ${MAX_DETAILS} then
      redis.call("HINCRBY", key, "details", -1)
      field = "count:" .. count.outcome .. ":other"
    end
    redis.call("HINCRBY", key, field, count.count)
  end
  for bucket, times in pairs(stop.worked) do redis.call("HINCRBY", key, "worked:" .. bucket, times) end
  for bucket, times in pairs(stop.waited) do redis.call("HINCRBY", key, "waited:" .. bucket, times) end
  redis.call("HINCRBY", key, "gaps", stop.gaps)
  if stop.lastSeen > tonumber(redis.call("HGET", key, "lastSeen") or "0") then
    redis.call("HSET", key, "lastSeen", stop.lastSeen)
  end
end
redis.call("EXPIRE", rate, ${RATE_KEPT})
return 1
`;
