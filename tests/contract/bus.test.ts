import { describe, inject, test } from "vitest";
import { memoryBus } from "../../runtime/buses/memory/index.ts";
import { loadConfig } from "../../runtime/config.ts";
import { createLogger } from "../../runtime/logger.ts";
import { busContract } from "./bus.contract.ts";

busContract("memory", { exactlyOnce: false, ordered: true, readable: true }, async () => {
  const bus = memoryBus();
  return { bus, other: bus };
});

const brokers = inject("kafka");
if (brokers) {
  busContract("kafka", { exactlyOnce: false, ordered: true, readable: true }, async () => {
    const { kafkaBus } = await import("../../runtime/buses/kafka/index.ts");
    const config = loadConfig({ METROBUS_BUS: "kafka", KAFKA_BROKERS: brokers });
    const log = createLogger({ logLevel: "error", logFormat: "json" });
    const [bus, other] = await Promise.all([kafkaBus(config, log), kafkaBus(config, log)]);
    return { bus, other };
  });
} else {
  describe("the bus kafka", () => test.skip("no Docker here to start a Kafka: see README, tests", () => undefined));
}
