import { createRequire } from "node:module";
import { hidden } from "./hidden.ts";

/** Who we are in a consumer group, and since when: Kafka takes nothing in a transaction from a member of an older generation. */
export interface Membership {
  readonly memberId: string;
  readonly generation: number;
}

/**
 * kafkajs 2.2.4 keeps the generation to itself: it is noted here with the assignment that it belongs to.
 *
 * And it joins anew for each fetch that meets a leader that has moved, all of them at once, though they are of one member: each such join
 * may begin another generation, and their answers mix. Whoever wants to join while it joins has what comes of that.
 */
interface ConsumerGroup {
  readonly memberId: string | null;
  readonly generationId: number;
  [sync: symbol]: () => Promise<void>;
  joinAndSync(): Promise<void>;
}

const { prototype: group } = createRequire(import.meta.url)("kafkajs/src/consumer/consumerGroup.js") as {
  prototype: ConsumerGroup;
};
/** Of members that have just joined, by their ids. */
const generations = new Map<string, number>();
const MOST_JUST_JOINED = 1_000;
const joining = new WeakMap<ConsumerGroup, Promise<void>>();

const SYNC = hidden(group, "ConsumerGroup:sync");
const { [SYNC]: sync, joinAndSync } = group;
group[SYNC] = async function (this: ConsumerGroup) {
  const { memberId, generationId } = this;
  await sync!.call(this);
  generations.delete(memberId!);
  generations.set(memberId!, generationId);
  if (generations.size > MOST_JUST_JOINED) generations.delete(generations.keys().next().value!);
};
group.joinAndSync = function () {
  const underWay = joining.get(this) ?? joinAndSync.call(this).finally(() => joining.delete(this));
  joining.set(this, underWay);
  return underWay;
};

/** Of a member that has just joined. */
export const membershipOf = (memberId: string): Membership => ({ memberId, generation: generations.get(memberId)! });
