import { createRequire } from "node:module";

/**
 * Two repairs of kafkajs 2.2.4 in memory, since it has no releases any more; it is pinned to that version.
 *
 * - Its request queue sets a timer of 1 ms over and over on every connection, for ever, with a negative time-out that
 *   Node 24 warns of (upstream #1751, #1768): the timer is set only while requests wait.
 * - It folds record headers into an object, which loses the order of those that occur twice, and breaks on names such
 *   as "constructor": the pairs as they were read are kept beside that object.
 */

const inside = createRequire(import.meta.url);
const asRead = Symbol("metrobus: header pairs as they were read");

type Pair = { key: string; value: Buffer | null };

interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

interface Decoder {
  readVarIntArray(this: Decoder, reader: unknown): Pair[];
}

/** The header pairs of a record in their order, a name as often as it occurs. */
export function headerPairs(headers: object | undefined): readonly Pair[] | undefined {
  return (headers as { [asRead]?: Pair[] } | undefined)?.[asRead];
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

const { prototype: decoder } = inside("kafkajs/src/protocol/decoder.js") as { prototype: Decoder };
const { readVarIntArray } = decoder;
decoder.readVarIntArray = function (reader) {
  const pairs = readVarIntArray.call(this, reader);
  if (pairs.length === 0) return pairs;
  const reduce = (...args: Parameters<typeof pairs.reduce>) =>
    Object.assign(Array.prototype.reduce.apply(pairs, args) as unknown as object, { [asRead]: pairs });
  return Object.assign(pairs, { reduce }) as unknown as Pair[];
};
