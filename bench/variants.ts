import type { PeerSetting } from "./peers/answer.ts";

/** One way to make the hop: one of peers/, and how it is started. */
export interface Variant {
  readonly name: string;
  readonly file: string;
  readonly setting?: Partial<PeerSetting>;
  readonly java?: { readonly guarantee: "at_least_once" | "exactly_once_v2"; readonly options: readonly string[] };
  /** It takes a message at a time: not all of the work, but what it makes in the time allowed. */
  readonly isSlow?: true;
  /** Its output becomes readable in transactions, and its position moves with them. */
  readonly isTransactional?: true;
}

const streams = (guarantee: "at_least_once" | "exactly_once_v2", ...options: string[]) => ({
  file: "streams",
  java: { guarantee, options },
});
const exactlyOnce = { METROBUS_DELIVERY: "exactly-once" };

/** In this order, so that those that are compared run one after the other: a machine is not the same from minute to minute. */
export const variants = {
  eachMessage: { name: "kafkajs `eachMessage` + `send`", file: "each-message.ts", isSlow: true },
  nest: { name: "NestJS Kafka transport", file: "nest.ts", isSlow: true },
  eachBatch: { name: "kafkajs `eachBatch` + `sendBatch`", file: "each-batch.ts" },
  bestLoop: { name: "the same, commits not awaited", file: "each-batch-overlapped.ts" },
  streamsSmall: { name: "Kafka Streams, at_least_once, -Xmx256m", ...streams("at_least_once", "-Xmx256m") },
  streams: { name: "Kafka Streams, at_least_once", ...streams("at_least_once") },
  metrobus: { name: "**metrobus, at-least-once**", file: "metrobus.ts" },
  exactlyOnce: {
    name: "**metrobus, exactly-once**",
    file: "metrobus.ts",
    setting: { env: exactlyOnce },
    isTransactional: true,
  },
  streamsExactlyOnce: {
    name: "Kafka Streams, exactly_once_v2",
    ...streams("exactly_once_v2"),
    isTransactional: true,
  },
  transactions: { name: "kafkajs transactions by hand", file: "transactions.ts", isTransactional: true },
} satisfies Record<string, Variant>;

export type Name = keyof typeof variants;

/** metrobus at-least-once, but for what is measured. */
export const metrobus = (name: string, setting: Partial<PeerSetting> = {}): Variant => ({
  ...variants.metrobus,
  name,
  setting,
});
