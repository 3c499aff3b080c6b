import type { Kafka } from "kafkajs";
import { hidden } from "./hidden.ts";

/** kafkajs's brokers, by what they lead or coordinate; it keeps them to itself. Each caller says what it uses of them. */
export function clusterOf(kafka: Kafka): unknown {
  const make = hidden(kafka, "Kafka:createCluster");
  return (kafka as unknown as Record<symbol, (options: object) => unknown>)[make]!({ allowAutoTopicCreation: false });
}
