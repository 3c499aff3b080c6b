import { stopKey } from "../redis/keys.ts";

/**
 * For each stop that did something of late: its name, and for each window what its totals have grown by since it first did something
 * in that, counts and times by the stop before, as a flat list of fields and numbers in JSON ("": nothing), since a hundred thousand
 * small texts at once are much for a page. KEYS is the set of stops, ARGV the windows, each as the keys of its steps' copies
 * without the stop, as JSON, oldest first.
 */
export const RECENT_SCRIPT = `
local windows = {}
for n, window in ipairs(ARGV) do windows[n] = cjson.decode(window) end

local function earliest(window, stop)
  for _, step in ipairs(window) do
    local copy = redis.call("HGETALL", step .. stop)
    if #copy > 0 then return copy end
  end
end

local function growth(copy, totals)
  local before, grown = {}, {}
  for at = 1, #copy, 2 do before[copy[at]] = copy[at + 1] end
  for at = 1, #totals, 2 do
    local field, value = totals[at], totals[at + 1]
    local by = value ~= before[field] and (tonumber(value) or 0) - (tonumber(before[field]) or 0) or 0
    if by > 0 and (field:sub(1, 6) == "count:" or field:sub(1, 5) == "from:") then
      table.insert(grown, field)
      table.insert(grown, string.format("%.0f", by))
    end
  end
  return grown
end

local found = {}
for _, stop in ipairs(redis.call("SMEMBERS", KEYS[1])) do
  local totals
  local of = { stop }
  for n, window in ipairs(windows) do
    local copy = earliest(window, stop)
    if copy then totals = totals or redis.call("HGETALL", "${stopKey("")}" .. stop) end
    local grown = copy and growth(copy, totals) or {}
    of[n + 1] = #grown > 0 and cjson.encode(grown) or ""
  end
  if totals then table.insert(found, of) end
end
return found
`;
