import type { Message } from "../../bus.ts";
import type { Lane } from "./lane.ts";

/** A call of `send` of which `left` messages wait for room. */
interface Call {
  left: number;
  resolve(): void;
  reject(reason: Error): void;
}

/** How much of a whole bus may be unread before nobody gets in from outside, in capacities of a lane. */
const LANES = 8;

/** What bounds the bus: those who send from outside wait here, each lane's in the order they came. */
export class Room {
  /** Records that wait for a group, in all lanes together. The lanes keep count. */
  unread = 0;
  readonly #capacity: number;
  readonly #queues = new Map<Lane, Set<{ message: Message; call: Call }>>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves when every message lies in its lane. */
  appendAll(messages: readonly Message[], laneOf: (message: Message) => Lane): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const call: Call = { left: 0, resolve, reject };
    for (const message of messages) {
      const lane = laneOf(message);
      const queue = this.#queues.get(lane);
      if (!queue && this.#fits(lane)) {
        lane.append(message);
        continue;
      }
      call.left++;
      if (queue) queue.add({ message, call });
      else this.#queues.set(lane, new Set([{ message, call }]));
    }
    if (call.left === 0) resolve();
    return promise;
  }

  /** Records were read: lets in those who have waited. */
  freed(): void {
    for (const [lane, queue] of this.#queues) {
      for (const entry of queue) {
        if (!this.#fits(lane)) break;
        queue.delete(entry);
        lane.append(entry.message);
        if (--entry.call.left === 0) entry.call.resolve();
      }
      if (queue.size === 0) this.#queues.delete(lane);
    }
  }

  close(reason: Error): void {
    for (const queue of this.#queues.values()) for (const { call } of queue) call.reject(reason);
    this.#queues.clear();
  }

  #fits(lane: Lane): boolean {
    return lane.unread < this.#capacity && this.unread < this.#capacity * LANES;
  }
}
