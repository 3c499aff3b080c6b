import { describe, inject, test } from "vitest";
import { memoryStats } from "../../runtime/stats-stores/memory.ts";
import { redisStats } from "../../runtime/stats-stores/redis.ts";
import { statsStoreContract } from "./stats-store.contract.ts";

statsStoreContract("memory", async () => {
  const store = memoryStats();
  return { store, other: store };
});

const redis = inject("redis");
if (redis) {
  statsStoreContract("redis", async () => {
    // A database of its own: other tests count in the first one.
    const options = { url: `${redis}/1`, log: { debug: () => undefined } };
    return { store: redisStats(options), other: redisStats(options) };
  });
} else {
  describe("the stats store redis", () =>
    test.skip("no Docker here to start a Redis: see README, tests", () => undefined));
}
