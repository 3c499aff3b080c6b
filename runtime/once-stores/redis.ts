import type { OnceStore } from "../once-store.ts";
import { redisConnection, type RedisOptions } from "../redis/connection.ts";
import { onceKey } from "../redis/keys.ts";
import { script } from "../redis/script.ts";

/** ARGV: token, lease, time to live, "1" to take over. Times are Redis's own, so no clock of a process counts. */
const claim = script(`
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, until_, result = unpack(redis.call("HMGET", KEYS[1], "token", "until", "result"))
if result then return { "done", result } end
if token and token ~= ARGV[1] then
  if tonumber(until_) > now then return { "held", until_ - now } end
  if ARGV[4] ~= "1" then return { "expired" } end
end
redis.call("HSET", KEYS[1], "token", ARGV[1], "until", string.format("%.0f", now + ARGV[2]))
redis.call("PEXPIRE", KEYS[1], string.format("%.0f", ARGV[2] + ARGV[3]))
return { "mine" }
`);

/** ARGV: result, time to live. Nothing when it counts, else the one that was there. */
const store = script(`
local before = redis.call("HGET", KEYS[1], "result")
if before then return before end
redis.call("DEL", KEYS[1])
redis.call("HSET", KEYS[1], "result", ARGV[1])
redis.call("PEXPIRE", KEYS[1], ARGV[2])
return nil
`);

/** ARGV: token. */
const release = script(`
if redis.call("HGET", KEYS[1], "token") == ARGV[1] then redis.call("DEL", KEYS[1]) end
return nil
`);

type ClaimReply = ["mine"] | ["expired"] | ["done", string] | ["held", number];

/** Outcomes in Redis, for every process to see. Connects when it is first asked, and again whenever the connection has broken. */
export function redisOnce(options: RedisOptions): OnceStore {
  const { ask, close } = redisConnection(options);
  return {
    async claim(key, { token, leaseMs, ttlMs, takeOver }) {
      const args = [token, leaseMs, ttlMs, takeOver ? "1" : "0"];
      const reply = (await ask((client) => claim(client, [onceKey(key)], args))) as ClaimReply;
      if (reply[0] === "done") return { state: "done", result: reply[1] };
      return reply[0] === "held" ? { state: "held", forMs: reply[1] } : { state: reply[0] };
    },
    async store(key, result, ttlMs) {
      const before = await ask((client) => store(client, [onceKey(key)], [result, ttlMs]));
      return (before as string | null) ?? result;
    },
    release: async (key, token) => void (await ask((client) => release(client, [onceKey(key)], [token]))),
    close: async () => close(),
  };
}
