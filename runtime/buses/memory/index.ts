import type { Bus, Message, Outgoing } from "../../bus.ts";
import { ConfigError, Unavailable, UnknownTopic } from "../../errors.ts";
import { partitionOf } from "../murmur2.ts";
import { Group, subscribe } from "./group.ts";
import { Lane } from "./lane.ts";
import { Room } from "./room.ts";

export interface MemoryBusOptions {
  /** Lanes of a topic for which `create` names no number. Default: 4. */
  partitions?: number;
  /**
   * `send` waits while this many records of the lane are unread by one of its groups, or eight times as many of the
   * whole bus. A settlement never waits, so stops can't hold each other up. Default: 10,000.
   */
  capacity?: number;
  /** A lane keeps its newest records, this many, even when all of its groups have read them or it has none. Default: 1,000. */
  keep?: number;
}

interface Topic {
  readonly lanes: readonly Lane[];
  /** Records without a key go to the lanes in turn. */
  turn: number;
}

/**
 * A bus inside this process: topics with lanes, groups and positions as Kafka has them, gone with the process. Topics
 * exist once `create` has named them. A topic that no group reads keeps its newest records only, unless it is kept for
 * ever; so consume first, then send.
 *
 * Buffers are handed over, not copied: whoever has sent one, or was given one, leaves its bytes alone.
 */
export function memoryBus({ partitions = 4, capacity = 10_000, keep = 1_000 }: MemoryBusOptions = {}): Bus {
  const topics = new Map<string, Topic>();
  const groups = new Map<string, Group>();
  const room = new Room(capacity);
  let closed = false;

  const known = (name: string): Topic => {
    if (closed) throw new Unavailable("the memory bus has been closed: open another one");
    const topic = topics.get(name);
    if (!topic) throw new UnknownTopic(name);
    return topic;
  };

  const laneOf = ({ topic: name, key }: Message): Lane => {
    const topic = known(name);
    return topic.lanes[key ? partitionOf(key, topic.lanes.length) : topic.turn++ % topic.lanes.length]!;
  };

  const fault = (out: readonly Outgoing[]) => {
    const unknown = out.find(({ topic }) => !topics.has(topic));
    return unknown ? new UnknownTopic(unknown.topic) : null;
  };
  const deliver = (out: readonly Outgoing[]): void => {
    for (const message of out) laneOf(message).append(message);
  };

  return {
    name: "memory",
    features: { exactlyOnce: true, ordered: true, readable: true },

    async consume(options, onBatch) {
      const { lanes } = known(options.topic);
      const group = groups.get(options.group) ?? new Group(options, lanes);
      if (group.topic !== options.topic) {
        throw new ConfigError([
          `the consumer group "${options.group}" reads topic "${group.topic}" and can't read "${options.topic}" too: give each stop a group of its own`,
        ]);
      }
      groups.set(options.group, group);
      return subscribe(group, options.delivery ?? "at-least-once", onBatch, { fault, deliver });
    },

    async send(messages: readonly Outgoing[]) {
      for (const { topic } of messages) known(topic);
      await room.appendAll(messages, laneOf);
    },

    async *read(topic, lane, from, limit) {
      const found = known(topic).lanes.find(({ name }) => name === lane);
      if (found && from < found.end) yield* found.slice(Number(from), limit);
    },

    async knows(topic) {
      return topics.has(topic);
    },

    async create(specs) {
      for (const { topic, partitions: count = partitions, keepForever } of specs) {
        if (topics.has(topic)) continue;
        const kept = keepForever ? Number.POSITIVE_INFINITY : keep;
        const lanes = Array.from({ length: count }, (_, lane) => new Lane(String(lane), kept, room));
        topics.set(topic, { lanes, turn: 0 });
      }
    },

    async state(group, topic) {
      return known(topic).lanes.map((lane) => lane.state(lane.positionOf(group) ?? lane.low));
    },

    async close() {
      closed = true;
      room.close(new Unavailable("the memory bus was closed while messages waited for room in it: send them again"));
      for (const group of groups.values()) group.end();
    },
  };
}
