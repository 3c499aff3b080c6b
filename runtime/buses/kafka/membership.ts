import { createRequire } from "node:module";
import { hidden } from "./hidden.ts";

/** Who we are in a consumer group, and since when: Kafka takes nothing in a transaction from a member of an older generation. */
export interface Membership {
  readonly memberId: string;
  readonly generation: number;
}

/** kafkajs 2.2.4 keeps the generation to itself: it is noted here as it joins a group. */
interface ConsumerGroup {
  readonly memberId: string | null;
  readonly generationId: number;
  [join: symbol]: () => Promise<void>;
}

const { prototype: group } = createRequire(import.meta.url)("kafkajs/src/consumer/consumerGroup.js") as {
  prototype: ConsumerGroup;
};
const generations = new Map<string, number>();

const JOIN = hidden(group, "ConsumerGroup:join");
const { [JOIN]: join } = group;
group[JOIN] = async function (this: ConsumerGroup) {
  await join!.call(this);
  generations.set(this.memberId!, this.generationId);
};

/** Of a member that has just joined; to be asked once. */
export function membershipOf(memberId: string): Membership {
  const generation = generations.get(memberId)!;
  generations.delete(memberId);
  return { memberId, generation };
}
