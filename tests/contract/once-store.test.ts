import { describe, inject, test } from "vitest";
import { memoryOnce } from "../../runtime/once-stores/memory.ts";
import { redisOnce } from "../../runtime/once-stores/redis.ts";
import { onceStoreContract } from "./once-store.contract.ts";

onceStoreContract("memory", async () => {
  const store = memoryOnce();
  return { store, other: store };
});

const redis = inject("redis");
if (redis) {
  onceStoreContract("redis", async () => {
    const options = { url: redis, log: { debug: () => undefined } };
    return { store: redisOnce(options), other: redisOnce(options) };
  });
} else {
  describe("the once store redis", () =>
    test.skip("no Docker here to start a Redis: see README, tests", () => undefined));
}
