import type { Message } from "kafkajs";
import type { Cluster } from "./cluster.ts";

/** Messages that lie ready in a topic of their own; the hop leads from there to the outputs. */
export interface Workload {
  readonly topic: string;
  readonly partitions: number;
  readonly messages: number;
  /** Of each message's value. */
  readonly bytes: number;
  /** How many different routes there are; the next stop of each is one of the outputs. */
  readonly routes: number;
  readonly outputs: readonly string[];
}

export const PARTITIONS = 4;
export const MESSAGE_BYTES = 300;
export const OUTPUT = "Output";
const LOADED_AT_ONCE = 2_000;
/** Less than the broker takes as one batch, wherever the keys lead. */
const BYTES_AT_ONCE = 1_000_000;

export const workload = (topic: string, messages: number, other: Partial<Workload> = {}): Workload => ({
  topic,
  partitions: PARTITIONS,
  messages,
  bytes: MESSAGE_BYTES,
  routes: 1,
  outputs: [OUTPUT],
  ...other,
});

/** Creates the topics, and writes the messages. */
export async function load(cluster: Cluster, work: Workload): Promise<void> {
  const { topic, partitions, messages, bytes } = work;
  await cluster.create([topic], partitions);
  await cluster.create(work.outputs, PARTITIONS);
  const atOnce = Math.max(1, Math.min(LOADED_AT_ONCE, Math.floor(BYTES_AT_ONCE / bytes)));
  for (let first = 0; first < messages; first += atOnce) {
    const count = Math.min(atOnce, messages - first);
    const part = Array.from({ length: count }, (_, at) => message(work, first + at));
    await cluster.producer.send({ topic, messages: part });
  }
}

/** The `n`th message, with a key and a route. */
export function message({ topic, bytes, routes, outputs }: Workload, n: number): Message {
  const account = 1_000_000 + (n % 100_000);
  const next = outputs[n % outputs.length]!;
  const last = routes === 1 ? "Log" : `Log-${n % routes}`;
  const header = {
    route: [last, next],
    original_route: [last, next, topic],
    historical_route: [topic],
    id: `${topic}-${n}`,
    boarded: Date.now(),
  };
  const envelope = { header, payload: { n, account_number: account, text: "" } };
  envelope.payload.text = "x".repeat(Math.max(0, bytes - JSON.stringify(envelope).length));
  return { key: String(account), value: JSON.stringify(envelope) };
}
