import type { Bus } from "./bus.ts";
import type { Config } from "./config.ts";
import type { Logger } from "./logger.ts";
import type { OnceStore } from "./once-store.ts";
import type { RunStore } from "./run-store.ts";
import type { StatsStore } from "./stats-store.ts";
import type { TripStore } from "./trip-store.ts";

/** Config → bus and stores: the only file that names implementations. Each is loaded when it is asked for. */

export async function openBus(config: Config, log: Logger): Promise<Bus> {
  const { withLater } = await import("./buses/later/index.ts");
  const { deadLetterTopic, bus, createTopics } = config;
  return withLater(await openPlainBus(config, log), {
    createTopics: createTopics || bus === "memory",
    deadLetterTopic,
    log,
  });
}

async function openPlainBus(config: Config, log: Logger): Promise<Bus> {
  switch (config.bus) {
    case "kafka":
      return (await import("./buses/kafka/index.ts")).kafkaBus(config, log);
    case "memory":
      return (await import("./buses/memory/index.ts")).memoryBus({ partitions: config.partitions });
  }
}

export async function openStatsStore(config: Config, log: Logger): Promise<StatsStore> {
  switch (config.stats) {
    case "redis":
      return (await import("./stats-stores/redis.ts")).redisStats({ ...config.redis, log });
    case "memory":
      return (await import("./stats-stores/memory.ts")).memoryStats();
  }
}

/** Where trips are kept: where the counts are. */
export async function openTripStore(config: Config, log: Logger): Promise<TripStore> {
  switch (config.stats) {
    case "redis":
      return (await import("./trip-stores/redis.ts")).redisTrips({ ...config.redis, ...config.tripBounds, log });
    case "memory":
      return (await import("./trip-stores/memory.ts")).memoryTrips(config.tripBounds);
  }
}

/** Where bulk runs are kept: where the counts are. */
export async function openRunStore(config: Config, log: Logger): Promise<RunStore> {
  switch (config.stats) {
    case "redis":
      return (await import("./run-stores/redis.ts")).redisRuns({ ...config.redis, topic: config.deadLetterTopic, log });
    case "memory":
      return (await import("./run-stores/memory.ts")).memoryRuns();
  }
}

/** Where outcomes are kept: where the counts are. */
export async function openOnceStore(config: Config, log: Logger): Promise<OnceStore> {
  switch (config.stats) {
    case "redis":
      return (await import("./once-stores/redis.ts")).redisOnce({ ...config.redis, log });
    case "memory":
      return (await import("./once-stores/memory.ts")).memoryOnce();
  }
}
