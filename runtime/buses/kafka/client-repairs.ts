import { createRequire } from "node:module";
import kafkajs from "kafkajs";

/**
 * Repairs of kafkajs 2.2.4 in memory, since it has no releases any more; it is pinned to that version.
 *
 * - Its request queue sets a timer of 1 ms over and over on every connection, for ever, with a negative time-out that
 *   Node 24 warns of (upstream #1751, #1768): the timer is set only while requests wait.
 * - A request that is made while its connection is being closed, or is closed twice, waits for ever: nobody looks at its
 *   time-out any more, and the connection that waits for it counts as connected. It fails at once.
 * - When one partition of a request fails, it throws away which others were written: they are kept with the error, so that
 *   only what failed is sent again.
 * - Of the partitions that can't be added to a transaction it tells of the first, which may be one that was only not tried
 *   since another is refused: those are left out.
 * - When what it wants to read is gone it commits a position that is none, for a group that may have moved on: it only
 *   reads on from the oldest record.
 * - It swallows why no broker names a group's coordinator: that the user has no right to the group is told.
 */

// Node finds only some of the names that this CommonJS package exports.
const { KafkaJSConnectionError } = kafkajs;
const inside = createRequire(import.meta.url);
const written = Symbol("metrobus: what a failed request has written");
const over = Symbol("metrobus: nobody looks at the time-outs of this queue any more");

interface Produced {
  topics: { topicName: string; partitions: { partition: number; errorCode: number }[] }[];
}

type WithBroker = <T>(this: unknown, ask: (broker: unknown) => Promise<T>) => Promise<T | null>;

interface RequestQueue {
  [over]?: boolean;
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
  scheduleRequestTimeoutCheck(): void;
  push(request: { entry: { reject(error: Error): void } }): void;
  rejectAll(error: Error): void;
  destroy(): void;
}

/** Whether a request that failed with this error, kafkajs's own and not one around it, has written to the partition. */
export function wasWritten(error: object, topic: string, partition: number): boolean {
  const answers = (error as { [written]?: Produced })[written]?.topics.find(({ topicName }) => topicName === topic);
  return answers?.partitions.some((answer) => answer.partition === partition && answer.errorCode === 0) ?? false;
}

const { prototype: queue } = inside("kafkajs/src/network/requestQueue/index.js") as { prototype: RequestQueue };
queue.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.throttleCheckTimeoutId || this.pending.length === 0) return;
  const throttled = this.throttledUntil - Date.now();
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    },
    throttled > 0 ? throttled : 10,
  );
};

const { destroy, push, scheduleRequestTimeoutCheck } = queue;
queue.scheduleRequestTimeoutCheck = function (this: RequestQueue) {
  scheduleRequestTimeoutCheck.call(this);
  this[over] = false;
};
queue.destroy = function (this: RequestQueue) {
  destroy.call(this);
  this[over] = true;
  this.rejectAll(new KafkaJSConnectionError("the connection was closed"));
};
queue.push = function (this: RequestQueue, request) {
  if (this[over]) request.entry.reject(new KafkaJSConnectionError("the connection is being closed"));
  else push.call(this, request);
};

const response = inside("kafkajs/src/protocol/requests/produce/v7/response.js") as {
  parse(produced: Produced): Promise<Produced>;
};
const { parse } = response;
response.parse = (produced) =>
  parse(produced).catch((error: Error) => {
    throw Object.assign(error, { [written]: produced });
  });

const { prototype: pool } = inside("kafkajs/src/cluster/brokerPool.js") as { prototype: { withBroker: WithBroker } };
const { withBroker } = pool;
pool.withBroker = async function (ask) {
  let refusal: Error | undefined;
  const answer = await withBroker.call(this, (broker) =>
    ask(broker).catch((error: Error & { type?: string }) => {
      if (error.type === "GROUP_AUTHORIZATION_FAILED") refusal = error;
      throw error;
    }),
  );
  if (answer === null && refusal) throw refusal;
  return answer as never;
};

interface Added {
  readonly errors: readonly { readonly partitionErrors: { errorCode: number }[] }[];
}

const NOT_TRIED = 55;

for (const version of [0, 1]) {
  const added = inside(`kafkajs/src/protocol/requests/addPartitionsToTxn/v${version}/response.js`) as {
    parse(data: Added): Promise<Added>;
  };
  const { parse: parseAdded } = added;
  added.parse = (data) => {
    const all = data.errors.flatMap(({ partitionErrors }) => partitionErrors);
    const isRefused = all.some(({ errorCode }) => errorCode !== 0 && errorCode !== NOT_TRIED);
    for (const each of all) if (isRefused && each.errorCode === NOT_TRIED) each.errorCode = 0;
    return parseAdded(data);
  };
}

interface OffsetManager {
  readonly cluster: {
    fetchTopicsOffset(topics: readonly object[]): Promise<{ partitions: { offset: string }[] }[]>;
  };
  readonly resolvedOffsets: Record<string, Record<number, string>>;
  committedOffsets(): Record<string, Record<number, string>>;
  setDefaultOffset(of: { topic: string; partition: number }): Promise<void>;
}

const { prototype: offsets } = inside("kafkajs/src/consumer/offsetManager/index.js") as { prototype: OffsetManager };
offsets.setDefaultOffset = async function ({ topic, partition }) {
  const asked = { topic, partitions: [{ partition }], fromBeginning: true };
  const [oldest] = await this.cluster.fetchTopicsOffset([asked]);
  this.committedOffsets()[topic]![partition] = oldest!.partitions[0]!.offset;
  delete this.resolvedOffsets[topic]![partition];
};
