import { HISTORY, stopKey } from "../redis/keys.ts";
import { SPANS } from "../stats-store.ts";
import { RECENT_SPAN } from "./history.ts";

/**
 * For each stop that did something in one of the steps: its name, its totals as they were when it began to, and as they are. KEYS
 * is the set of stops, ARGV the steps, oldest first.
 */
export const RECENT_SCRIPT = `
local found = {}
for _, stop in ipairs(redis.call("SMEMBERS", KEYS[1])) do
  for _, step in ipairs(ARGV) do
    local copy = redis.call("HGETALL", "${HISTORY}${SPANS[RECENT_SPAN].stepMs / 1_000}:" .. step .. ":" .. stop)
    if #copy > 0 then
      table.insert(found, { stop, copy, redis.call("HGETALL", "${stopKey("")}" .. stop) })
      break
    end
  end
end
return found
`;
