import { describe, inject, test } from "vitest";
import { memoryTrips } from "../../runtime/trip-stores/memory.ts";
import { redisTrips } from "../../runtime/trip-stores/redis.ts";
import { tripStoreContract } from "./trip-store.contract.ts";

tripStoreContract("memory", async (bounds) => {
  const store = memoryTrips(bounds);
  return { store, other: store };
});

const redis = inject("redis");
if (redis) {
  tripStoreContract("redis", async (bounds) => {
    // A database of its own: it counts all trips, and other tests make some.
    const options = { url: `${redis}/1`, log: { debug: () => undefined }, ...bounds };
    return { store: redisTrips(options), other: redisTrips(options) };
  });
} else {
  describe("the trip store redis", () =>
    test.skip("no Docker here to start a Redis: see README, tests", () => undefined));
}
