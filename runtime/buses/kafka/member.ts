import type { Consumer, ConsumerCrashEvent, ConsumerGroupJoinEvent, EachBatchPayload } from "kafkajs";
import type { Logger } from "pino";
import { setTimeout as sleep } from "node:timers/promises";
import { asError } from "../../errors.ts";
import type { Client, NewClient } from "./client.ts";
import { isUnknownTopic, permanent, rootOf } from "./failures.ts";
import { leaveGroup } from "./leave-group.ts";
import { membershipOf, type Membership } from "./membership.ts";

export interface MemberEvents {
  /** The group has a new generation, and these are our partitions. `sameMember`: we were in the one before. */
  joined(partitions: readonly number[], sameMember: boolean): void;
  /** Its records may be none: markers and aborted records alone. */
  fetched(payload: EachBatchPayload): void;
  /** The member is out of the group; another one is on its way. */
  crashed(): void;
  failed(error: Error): void;
}

export interface Member {
  seek(partition: number, offset: number): void;
  fetching(partition: number, on: boolean): void;
  /** One attempt, for the group's present generation. */
  commit(offsets: readonly { partition: number; offset: string }[]): Promise<void>;
  /** As of the last `joined`. */
  membership(): Membership;
  /** Resolves when the group answers the next heartbeat: it counts us as a member still. */
  confirmed(): Promise<void>;
  /** Begins anew with fresh connections. */
  replace(why: string): void;
  /** To be called about once in `TICK_MS`: replaces a consumer that has fallen silent. */
  tick(): void;
  leave(): Promise<void>;
}

export const TICK_MS = 5_000;
/** So many ticks without a fetch or a heartbeat, and those a rebalance may take, which waits for a member that was killed: the consumer hangs. */
const SILENT_TICKS = 3;
/** Faults in a row that no retry should heal, with not a record between. */
const HOPELESS = 5;

/**
 * A member of a consumer group. kafkajs's consumer may die for good or hang; it is replaced here, whatever happened, with
 * fresh connections. Every kafkajs consumer has its own client: two of one group would share their offsets.
 */
export function createMember(
  group: string,
  topic: string,
  sessionTimeout: number,
  newClient: NewClient,
  events: MemberEvents,
  log: Logger,
): Member {
  let current: { client: Client; consumer: Consumer } | undefined;
  let commit: EachBatchPayload["commitOffsetsIfNecessary"] | undefined;
  let memberId = "";
  let membership: Membership = { memberId, generation: -1 };
  let fetchless = 0;
  let beatless = 0;
  let hopeless = 0;
  /** How often in a row the topic was not there, which the subscription tells of. */
  let absent = 0;
  let left = false;
  let heartbeat = Promise.withResolvers<void>();

  async function start(): Promise<void> {
    const client = newClient();
    const consumer = client.kafka.consumer(consumerSettings(group, sessionTimeout));
    const mine = { client, consumer };
    current = mine;
    memberId = "";
    fetchless = beatless = 0;
    const isCurrent = () => current === mine && !left;
    consumer.on(consumer.events.FETCH, () => void (fetchless = 0));
    consumer.on(consumer.events.HEARTBEAT, () => isCurrent() && beat());
    const end = () => client.end(() => consumer.disconnect());
    // One that was replaced while it joined would hold partitions, for nobody.
    consumer.on(consumer.events.GROUP_JOIN, (event) => (isCurrent() ? joined(event) : void end()));
    consumer.on(consumer.events.CRASH, (event: ConsumerCrashEvent) => isCurrent() && void replace(event.payload.error));
    try {
      await consumer.connect();
      if (isCurrent()) await consumer.subscribe({ topic, fromBeginning: true });
      const eachBatch = async (payload: EachBatchPayload) => void (isCurrent() && fetched(payload));
      if (isCurrent()) await consumer.run({ autoCommit: false, eachBatch });
    } catch (error) {
      if (isCurrent()) void replace(error);
    }
    if (!isCurrent()) await end();
  }

  function beat(): void {
    beatless = 0;
    heartbeat.resolve();
    heartbeat = Promise.withResolvers();
  }

  function joined({ payload }: ConsumerGroupJoinEvent): void {
    const same = memberId === payload.memberId;
    memberId = payload.memberId;
    membership = membershipOf(memberId);
    events.joined(payload.memberAssignment[topic] ?? [], same);
  }

  /** Nothing may be thrown here: kafkajs would end the consumer for good. */
  function fetched(payload: EachBatchPayload): void {
    commit = payload.commitOffsetsIfNecessary;
    hopeless = absent = 0;
    try {
      events.fetched(payload);
    } catch (error) {
      events.failed(error as Error);
    }
  }

  async function replace(why: unknown): Promise<void> {
    const { message, retriable } = rootOf(why);
    const old = current!;
    current = commit = undefined;
    events.crashed();
    void old.client.end(() => old.consumer.disconnect());
    if (memberId) void leaveGroup(newClient, group, memberId);
    const fault = permanent(why);
    if (fault) return events.failed(fault);
    if (retriable === false && ++hopeless >= HOPELESS) return events.failed(why as Error);
    absent = isUnknownTopic(why) ? absent + 1 : 0;
    log[absent > 1 ? "debug" : "warn"]({ group, topic, error: message }, "the consumer has failed and is replaced");
    await sleep(absent > 5 ? TICK_MS : 500 * (1 + hopeless));
    if (!left) begin();
  }

  function renew(why: string): void {
    if (current && !left) void replace(new Error(why));
  }

  /** kafkajs throws at once when it does not take its settings: no consumer anew would help. */
  function begin(): void {
    start().catch((error: unknown) => events.failed(asError(error)));
  }

  begin();
  return {
    seek: (partition, offset) => attempt(() => current?.consumer.seek({ topic, partition, offset: String(offset) })),
    fetching(partition, on) {
      const which = [{ topic, partitions: [partition] }];
      attempt(() => (on ? current?.consumer.resume(which) : current?.consumer.pause(which)));
    },
    // The one of `EachBatchPayload` tries once; `consumer.commitOffsets` would try again in the next generation too,
    // when the partition may be somebody else's.
    async commit(offsets) {
      const partitions = offsets.map((offset) => ({ ...offset, metadata: null }));
      if (commit) await commit({ topics: [{ topic, partitions }] });
      else if (current) await current.consumer.commitOffsets(partitions.map((offset) => ({ topic, ...offset })));
      else throw new Error("not a member of the group");
    },
    membership: () => membership,
    confirmed: () => heartbeat.promise,
    replace: renew,
    tick() {
      const patience = SILENT_TICKS + Math.ceil(sessionTimeout / TICK_MS);
      const silent = Object.entries({ fetch: ++fetchless, heartbeat: ++beatless }).find(
        ([, ticks]) => ticks >= patience,
      );
      if (silent) renew(`no answer to a ${silent[0]} in ${(patience * TICK_MS) / 1_000} s`);
    },
    async leave() {
      left = true;
      if (current) await current.client.end(() => current!.consumer.disconnect());
    },
  };
}

function consumerSettings(groupId: string, sessionTimeout: number) {
  return {
    groupId,
    allowAutoTopicCreation: false,
    sessionTimeout,
    rebalanceTimeout: Math.max(60_000, sessionTimeout),
    heartbeatInterval: 500,
    // How soon partitions that were added are seen.
    metadataMaxAge: 10_000,
    // A partition that is resumed has to wait for the fetch under way.
    maxWaitTimeInMs: 100,
    maxBytesPerPartition: 256 * 1024,
    maxBytes: 2 * 1024 * 1024,
    // It restarts with the connections that failed it; we replace it instead.
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 8, restartOnFailure: () => Promise.resolve(false) },
  };
}

/** kafkajs throws when the consumer is just not in the group; it will begin anew then. */
function attempt(act: () => void): void {
  try {
    act();
  } catch {
    return;
  }
}
