import { describe, inject, test } from "vitest";
import { loadConfig } from "../../runtime/config.ts";
import { createLogger } from "../../runtime/logger.ts";
import { openBus } from "../../runtime/open.ts";
import { busContract } from "./bus.contract.ts";

busContract("memory", { exactlyOnce: true, ordered: true, readable: true }, async () => {
  const config = loadConfig({ METROBUS_BUS: "memory" });
  const bus = await openBus(config, createLogger({ logLevel: "error", logFormat: "json" }));
  return { bus, other: bus, letters: config.deadLetterTopic };
});

const brokers = inject("kafka");
if (brokers) {
  busContract("kafka", { exactlyOnce: true, ordered: true, readable: true }, async () => {
    const config = loadConfig({ METROBUS_BUS: "kafka", KAFKA_BROKERS: brokers, METROBUS_CREATE_TOPICS: "true" });
    const log = createLogger({ logLevel: "error", logFormat: "json" });
    const [bus, other] = await Promise.all([openBus(config, log), openBus(config, log)]);
    return { bus, other, letters: config.deadLetterTopic };
  });
} else {
  describe("the bus kafka", () => test.skip("no Docker here to start a Kafka: see README, tests", () => undefined));
}
