import type { Bus } from "../../runtime/bus.ts";
import { kafkaBus } from "../../runtime/buses/kafka/index.ts";
import { loadConfig, type Settings } from "../../runtime/config.ts";
import { createLogger } from "../../runtime/logger.ts";

/** The bus on a broker of the tests, whatever the environment says. It keeps its warnings to itself. */
export function openKafkaBus(brokers: string, settings: Settings = {}): Promise<Bus> {
  const config = loadConfig({ METROBUS_BUS: "kafka", KAFKA_BROKERS: brokers, ...settings }, {});
  return kafkaBus(config, createLogger({ logLevel: process.env["TEST_LOG_LEVEL"] ?? "silent", logFormat: "json" }));
}
