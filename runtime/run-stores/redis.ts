import { redisConnection, type RedisOptions } from "../redis/connection.ts";
import { activeRunsKey, runKey, runsKey } from "../redis/keys.ts";
import { script } from "../redis/script.ts";
import {
  LEASE_MS,
  NOTHING_YET,
  RUN_KEPT_MS,
  RUNS_KEPT,
  type BulkRun,
  type NewRun,
  type RunProgress,
  type RunState,
  type RunStore,
} from "../run-store.ts";

/** What `show` returns of a run. */
type Shown = readonly [run: string, at: string, state: RunState, report: string, error: string, worker: string];

/** Times are Redis's own, so no clock of a process counts. `held` is a run that is the token's. */
const COMMON = `
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local runs, active = KEYS[1], KEYS[2]
local function key(id) return "${runKey("")}" .. id end
local function later(ms) return string.format("%.0f", now + ms) end
local function isHeld(token, until_) return token ~= "" and tonumber(until_) > now end
local function show(id)
  local run = redis.call("HMGET", key(id), "run", "at", "state", "report", "error", "worker", "token", "until")
  if not run[1] then return nil end
  if not isHeld(run[7], run[8]) then run[6] = "" end
  return { run[1], run[2], run[3], run[4], run[5], run[6] }
end
local function held(id, token) return redis.call("HGET", key(id), "token") == token end
local function tell(id, report, failure) redis.call("HSET", key(id), "report", report, "error", failure) end
local function trim()
  local more = redis.call("ZCARD", runs) - ${RUNS_KEPT}
  if more <= 0 then return end
  for _, id in ipairs(redis.call("ZRANGE", runs, 0, -1)) do
    if more <= 0 then return end
    if not redis.call("ZSCORE", active, id) then
      redis.call("DEL", key(id))
      redis.call("ZREM", runs, id)
      more = more - 1
    end
  end
end
`;

const withCommon = (body: string) => script(COMMON + body);

const scripts = {
  /** ARGV: id, run, report. */
  addRun: withCommon(`
local id, order = ARGV[1], string.format("%.0f", time[1] * 1000000 + time[2])
redis.call("HSET", key(id), "run", ARGV[2], "at", later(0), "state", "running", "worker", "", "token", "", "until", 0)
tell(id, ARGV[3], "")
redis.call("ZADD", runs, order, id)
redis.call("ZADD", active, order, id)
trim()
return show(id)
`),
  listRuns: withCommon(`
local found = {}
for _, id in ipairs(redis.call("ZRANGE", runs, 0, ${RUNS_KEPT - 1}, "REV")) do table.insert(found, show(id)) end
return found
`),
  /** ARGV: id. */
  getRun: withCommon(`return show(ARGV[1])`),
  /** ARGV: id. */
  stopRun: withCommon(`
if redis.call("HGET", key(ARGV[1]), "state") == "running" then redis.call("HSET", key(ARGV[1]), "state", "stopping") end
`),
  /** ARGV: token, worker. */
  claimRun: withCommon(`
for _, id in ipairs(redis.call("ZRANGE", active, 0, -1)) do
  local run = redis.call("HMGET", key(id), "token", "until")
  if not run[1] then
    redis.call("ZREM", active, id)
  elseif not isHeld(run[1], run[2]) then
    redis.call("HSET", key(id), "token", ARGV[1], "worker", ARGV[2], "until", later(${LEASE_MS}))
    return show(id)
  end
end
`),
  /** ARGV: id, token, report, error. */
  renewRun: withCommon(`
if not held(ARGV[1], ARGV[2]) then return nil end
tell(ARGV[1], ARGV[3], ARGV[4])
redis.call("HSET", key(ARGV[1]), "until", later(${LEASE_MS}))
return redis.call("HGET", key(ARGV[1]), "state")
`),
  /** The same. */
  releaseRun: withCommon(`
if not held(ARGV[1], ARGV[2]) then return end
tell(ARGV[1], ARGV[3], ARGV[4])
redis.call("HSET", key(ARGV[1]), "token", "")
`),
  /** The same, and the state. */
  finishRun: withCommon(`
if not held(ARGV[1], ARGV[2]) then return end
tell(ARGV[1], ARGV[3], ARGV[4])
redis.call("HSET", key(ARGV[1]), "token", "", "state", ARGV[5])
redis.call("PEXPIRE", key(ARGV[1]), ${RUN_KEPT_MS})
redis.call("ZREM", active, ARGV[1])
trim()
`),
};

export interface RedisRunsOptions extends RedisOptions {
  /** The dead-letter topic: whoever works on another one's letters has other runs. */
  topic: string;
}

/** Bulk runs in Redis, for every process to see. */
export function redisRuns({ topic, ...options }: RedisRunsOptions): RunStore {
  const { ask, close } = redisConnection(options);
  const keys = [runsKey(topic), activeRunsKey(topic)];
  const run = (name: keyof typeof scripts, args: readonly string[]) =>
    ask((client) => scripts[name](client, keys, args));
  return {
    async add(asked) {
      const args = [asked.id, JSON.stringify(asked), JSON.stringify(NOTHING_YET.report)];
      return readRun((await run("addRun", args)) as Shown);
    },
    list: async () => ((await run("listRuns", [])) as Shown[]).map(readRun),
    get: async (id) => orNone(await run("getRun", [id])),
    stop: async (id) => void (await run("stopRun", [id])),
    claim: async ({ token, worker }) => orNone(await run("claimRun", [token, worker])),
    renew: async (id, token, progress) => (await run("renewRun", [id, token, ...told(progress)])) as RunState | null,
    release: async (id, token, progress) => void (await run("releaseRun", [id, token, ...told(progress)])),
    finish: async (id, token, state, progress) => void (await run("finishRun", [id, token, ...told(progress), state])),
    close: async () => close(),
  };
}

const orNone = (reply: unknown): BulkRun | null => (reply ? readRun(reply as Shown) : null);

const told = ({ report, error }: RunProgress) => [JSON.stringify(report), error];

function readRun([run, at, state, report, error, worker]: Shown): BulkRun {
  const asked = JSON.parse(run, bytesBack) as NewRun;
  return { ...asked, at: Number(at), state, worker, report: JSON.parse(report) as BulkRun["report"], error };
}

/** A filter's key may be bytes, which JSON has as `{ type: "Buffer", data: [ … ] }`. */
function bytesBack(_: string, value: unknown): unknown {
  const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown };
  return type === "Buffer" && Array.isArray(data) ? Buffer.from(data as number[]) : value;
}
