import { setTimeout as sleep } from "node:timers/promises";
import type { Message } from "kafkajs";
import { answered } from "./answered.ts";
import type { NewClient } from "./client.ts";
import { clusterOf } from "./cluster.ts";
import { typeOf } from "./failures.ts";
import { checkVersion, txnOffsetCommit, type Coordinator } from "./group-requests.ts";
import type { Membership } from "./membership.ts";
import { messageOf, type Chunk, type Rounds } from "./place.ts";

/** Writes records and a group's positions in transactions, one at a time. After a failure it is of no use any more. */
export interface TransactionalProducer {
  /**
   * Resolves when all is committed. Rejects when it is not, or when nobody knows; it is not when the group has a newer
   * generation than ours. Offsets by partition.
   */
  commit(rounds: Rounds, offsets: ReadonlyMap<number, number>, member: Membership): Promise<void>;
  /** Aborts what is open, and disconnects. Never rejects. */
  close(): Promise<void>;
}

export interface TransactionSetting {
  readonly newClient: NewClient;
  readonly transactionalId: string;
  /** Its positions in the topic move with the transactions. */
  readonly group: string;
  readonly topic: string;
  /** After so long the broker aborts what is open. */
  readonly timeoutMs: number;
}

/** What kafkajs keeps to itself: brokers, by what they lead or coordinate. */
interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, readonly number[]>;
  findBroker(which: { nodeId: string }): Promise<Broker>;
  findGroupCoordinator(which: { groupId: string; coordinatorType: number }): Promise<Broker>;
}

interface Identity {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
}

interface Broker extends Coordinator {
  initProducerId(which: {
    transactionalId: string;
    transactionTimeout: number;
  }): Promise<Omit<Identity, "transactionalId">>;
  addPartitionsToTxn(
    what: Identity & { topics: readonly { topic: string; partitions: readonly number[] }[] },
  ): Promise<unknown>;
  produce(what: Identity & { acks: -1; topicData: readonly TopicData[] }): Promise<unknown>;
  addOffsetsToTxn(what: Identity & { groupId: string }): Promise<unknown>;
  endTxn(what: Identity & { transactionResult: boolean }): Promise<unknown>;
}

interface TopicData {
  readonly topic: string;
  readonly partitions: readonly PartitionData[];
}

interface PartitionData {
  readonly partition: number;
  readonly firstSequence: number;
  readonly messages: readonly Message[];
}

const GROUP = 0;
const TRANSACTION = 1;
/** The markers of the last transaction are written within a few ms as a rule; kafkajs would ask again after 300 ms. */
const PATIENCE_MS = 30_000;
const FIRST_WAIT_MS = 2;
const LONGEST_WAIT_MS = 50;
/** Sequence numbers have 31 bits. */
const SEQUENCES = 2 ** 31;

/**
 * A producer with a transactional id. From here on whoever had that id before can write nothing any more, and what it has
 * left open is aborted.
 *
 * Kafka's requests are sent here one by one: kafkajs asks for the coordinators before each, loses count of what was
 * written when it tries again, and waits 300 ms for what takes 2.
 */
export async function takeOver({
  newClient,
  transactionalId,
  group,
  topic,
  timeoutMs,
}: TransactionSetting): Promise<TransactionalProducer> {
  const client = newClient();
  const cluster = clusterOf(client.kafka) as Cluster;
  const end = () => client.end(() => cluster.disconnect());
  try {
    await answered(cluster.connect());
    const [coordinator, groupCoordinator] = await answered(
      Promise.all([
        cluster.findGroupCoordinator({ groupId: transactionalId, coordinatorType: TRANSACTION }),
        cluster.findGroupCoordinator({ groupId: group, coordinatorType: GROUP }),
      ]),
    );
    checkVersion(groupCoordinator);
    const found = await patiently(() =>
      answered(coordinator.initProducerId({ transactionalId, transactionTimeout: timeoutMs })),
    );
    const identity = { transactionalId, producerId: found.producerId, producerEpoch: found.producerEpoch };
    return producer({ cluster, coordinator, groupCoordinator, identity, group, topic, end });
  } catch (error) {
    await end();
    throw error;
  }
}

interface Connected {
  readonly cluster: Cluster;
  readonly coordinator: Broker;
  readonly groupCoordinator: Broker;
  readonly identity: Identity;
  readonly group: string;
  readonly topic: string;
  readonly end: () => Promise<void>;
}

function producer({
  cluster,
  coordinator,
  groupCoordinator,
  identity,
  group,
  topic,
  end,
}: Connected): TransactionalProducer {
  const sequences = new Map<string, number>();
  let underWay: Promise<unknown> = Promise.resolve();
  let open = false;
  let closed = false;

  /** No step of a transaction is taken after the end: it could begin another one. */
  function step<T>(take: () => Promise<T>): Promise<T> {
    return closed ? Promise.reject(new Error("the producer has been closed")) : answered(take());
  }

  async function commit(...[rounds, offsets, member]: Parameters<TransactionalProducer["commit"]>): Promise<void> {
    open = true;
    const addOffsets = () => step(() => coordinator.addOffsetsToTxn({ ...identity, groupId: group }));
    const commitOffsets = () =>
      step(() => txnOffsetCommit(groupCoordinator, { ...identity, groupId: group, member, topic, offsets }));
    if (rounds.length === 0) {
      await patiently(addOffsets);
      await commitOffsets();
    } else {
      const topics = topicPartitions(rounds);
      await step(() => cluster.addMultipleTargetTopics(topics.map(({ topic }) => topic)));
      await patiently(() => step(() => coordinator.addPartitionsToTxn({ ...identity, topics })));
      await everyOne([produceAll(rounds), addOffsets().then(commitOffsets)]);
    }
    await step(() => coordinator.endTxn({ ...identity, transactionResult: true }));
    open = false;
  }

  async function produceAll(rounds: Rounds): Promise<void> {
    for (const round of rounds) {
      const sent = [...byLeader(cluster, round)].map(([nodeId, chunks]) => step(() => produce(nodeId, chunks)));
      await everyOne(sent);
    }
  }

  async function produce(nodeId: string, chunks: readonly Chunk[]): Promise<void> {
    const byTopic = new Map<string, PartitionData[]>();
    for (const { topic, partition, records } of chunks) {
      const firstSequence = sequence(topic, partition, records.length);
      const partitions = byTopic.get(topic) ?? [];
      byTopic.set(topic, partitions);
      partitions.push({ partition, firstSequence, messages: records.map(messageOf) });
    }
    const topicData = Array.from(byTopic, ([topic, partitions]) => ({ topic, partitions }));
    const broker = await cluster.findBroker({ nodeId });
    await broker.produce({ ...identity, acks: -1, topicData });
  }

  function sequence(topic: string, partition: number, records: number): number {
    const place = `${partition} ${topic}`;
    const first = sequences.get(place) ?? 0;
    sequences.set(place, (first + records) % SEQUENCES);
    return first;
  }

  return {
    commit: (...what) => {
      const committed = commit(...what);
      underWay = committed.catch(() => undefined);
      return committed;
    },
    async close() {
      closed = true;
      const abort = async () => {
        await underWay;
        if (open) await coordinator.endTxn({ ...identity, transactionResult: false });
      };
      await Promise.race([abort().catch(() => undefined), sleep(ABORT_MS, undefined, { ref: false })]);
      await end();
    },
  };
}

/** What is left open keeps readers waiting until the transaction times out. */
const ABORT_MS = 2_000;

/** Asks again while the last transaction's markers are being written. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const until = performance.now() + PATIENCE_MS;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(LONGEST_WAIT_MS, wait * 1.5)) {
    try {
      return await ask();
    } catch (error) {
      if (typeOf(error) !== "CONCURRENT_TRANSACTIONS" || performance.now() > until) throw error;
      await sleep(wait);
    }
  }
}

/** Waits for all of them, also when one fails: nothing of a transaction may be on its way when it is aborted. */
async function everyOne(steps: readonly Promise<unknown>[]): Promise<void> {
  const ended = await Promise.allSettled(steps);
  const failed = ended.find(({ status }) => status === "rejected");
  if (failed) throw (failed as PromiseRejectedResult).reason;
}

function topicPartitions(rounds: Rounds): { topic: string; partitions: number[] }[] {
  const found = new Map<string, Set<number>>();
  for (const { topic, partition } of rounds.flat()) {
    const partitions = found.get(topic) ?? new Set();
    found.set(topic, partitions.add(partition));
  }
  return Array.from(found, ([topic, partitions]) => ({ topic, partitions: [...partitions] }));
}

function byLeader(cluster: Cluster, chunks: readonly Chunk[]): Map<string, Chunk[]> {
  const found = new Map<string, Chunk[]>();
  for (const chunk of chunks) {
    const [leader] = Object.keys(cluster.findLeaderForPartitions(chunk.topic, [chunk.partition]));
    if (leader === undefined) throw new Error(`partition ${chunk.partition} of topic "${chunk.topic}" has no leader`);
    const led = found.get(leader);
    if (led) led.push(chunk);
    else found.set(leader, [chunk]);
  }
  return found;
}
