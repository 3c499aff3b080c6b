import { RedisClient, RESP_TYPES } from "@redis/client";

/** A topic may be called `__proto__` or `constructor`, which an object has or loses by itself. */
const HASH_AS_MAP = { [RESP_TYPES.MAP]: Map };

/**
 * A client with the commands that the stores send. The package's `createClient` makes a class with all that Redis has,
 * which takes 22 MB and 70 ms of each process.
 */
export class Client extends RedisClient<{}, {}, {}, 3, {}> {
  get(key: string): Promise<string | null> {
    return this.sendCommand(["GET", key]);
  }

  incr(key: string): Promise<number> {
    return this.sendCommand(["INCR", key]);
  }

  hGetAll(key: string): Promise<ReadonlyMap<string, string>> {
    return this.sendCommand(["HGETALL", key], { typeMapping: HASH_AS_MAP });
  }

  hSetNX(key: string, field: string, value: string): Promise<number> {
    return this.sendCommand(["HSETNX", key, field, value]);
  }

  hDel(key: string, field: string): Promise<number> {
    return this.sendCommand(["HDEL", key, field]);
  }

  sMembers(key: string): Promise<readonly string[]> {
    return this.sendCommand(["SMEMBERS", key]);
  }

  /** A whole list. */
  lRange(key: string): Promise<readonly string[]> {
    return this.sendCommand(["LRANGE", key, "0", "-1"]);
  }

  /** A whole sorted set, the lowest score first. */
  zRangeWithScores(key: string): Promise<readonly (readonly [member: string, score: number])[]> {
    return this.sendCommand(["ZRANGE", key, "0", "-1", "WITHSCORES"]);
  }

  /** Of a sorted set those with the highest scores, the highest first. */
  zTop(key: string, limit: number): Promise<readonly string[]> {
    return this.sendCommand(["ZRANGE", key, "0", String(limit - 1), "REV"]);
  }

  /** Redis's clock, epoch ms. */
  async time(): Promise<number> {
    const [seconds, microseconds] = await this.sendCommand<[string, string]>(["TIME"]);
    return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
  }

  eval(text: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.sendCommand(["EVAL", text, String(keys.length), ...keys, ...args]);
  }

  evalSha(sha1: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    return this.sendCommand(["EVALSHA", sha1, String(keys.length), ...keys, ...args]);
  }
}
