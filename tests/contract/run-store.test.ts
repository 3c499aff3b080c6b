import { describe, inject, test } from "vitest";
import { memoryRuns } from "../../runtime/run-stores/memory.ts";
import { redisRuns } from "../../runtime/run-stores/redis.ts";
import { unique } from "../support/probe.ts";
import { runStoreContract } from "./run-store.contract.ts";

runStoreContract("memory", async () => {
  const store = memoryRuns();
  return { store, other: store };
});

const redis = inject("redis");
if (redis) {
  runStoreContract("redis", async () => {
    const options = { url: redis, topic: unique("Letters"), log: { debug: () => undefined } };
    return { store: redisRuns(options), other: redisRuns(options) };
  });
} else {
  describe("the run store redis", () =>
    test.skip("no Docker here to start a Redis: see README, tests", () => undefined));
}
