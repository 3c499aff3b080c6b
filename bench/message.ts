import type { Message } from "kafkajs";

/** The hop leads from `preloaded` or `paced` to `output`. */
export const topics = { preloaded: "Preloaded", paced: "Paced", output: "Output" };
export const PARTITIONS = 4;
export const MESSAGE_BYTES = 300;

/** The `n`th message of a topic, with a key and a route. */
export function message(topic: string, n: number): Message {
  const account = 1_000_000 + (n % 100_000);
  const header = {
    route: ["Log", topics.output],
    original_route: ["Log", topics.output, topic],
    historical_route: [topic],
    id: `${topic}-${n}`,
    boarded: Date.now(),
  };
  const envelope = { header, payload: { n, account_number: account, text: "" } };
  envelope.payload.text = "x".repeat(MESSAGE_BYTES - JSON.stringify(envelope).length);
  return { key: String(account), value: JSON.stringify(envelope) };
}
