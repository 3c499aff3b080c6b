import { describe, inject, test } from "vitest";
import { memoryRuns } from "../../runtime/run-stores/memory.ts";
import { redisRuns } from "../../runtime/run-stores/redis.ts";
import { runStoreContract } from "./run-store.contract.ts";

runStoreContract("memory", async () => {
  const store = memoryRuns();
  return { store, other: store };
});

const redis = inject("redis");
if (redis) {
  runStoreContract("redis", async () => {
    // A database of its own: it counts all runs, and other tests make some.
    const options = { url: `${redis}/2`, log: { debug: () => undefined } };
    return { store: redisRuns(options), other: redisRuns(options) };
  });
} else {
  describe("the run store redis", () =>
    test.skip("no Docker here to start a Redis: see README, tests", () => undefined));
}
