import { stopKey } from "../redis/keys.ts";

/**
 * For each stop that did something of late: its name, its totals, and for each window what they were when it first did something in
 * that: nothing, if it did not. KEYS is the set of stops, ARGV the windows, the longest first, each as the keys of its steps' copies without
 * the stop, as JSON, oldest first.
 */
export const RECENT_SCRIPT = `
local windows = {}
for n, window in ipairs(ARGV) do windows[n] = cjson.decode(window) end

local function earliest(window, stop)
  for _, step in ipairs(window) do
    local copy = redis.call("HGETALL", step .. stop)
    if #copy > 0 then return copy end
  end
  return {}
end

local found = {}
for _, stop in ipairs(redis.call("SMEMBERS", KEYS[1])) do
  local copies = {}
  for n, window in ipairs(windows) do copies[n] = earliest(window, stop) end
  if #copies[1] > 0 then table.insert(found, { stop, redis.call("HGETALL", "${stopKey("")}" .. stop), unpack(copies) }) end
end
return found
`;
