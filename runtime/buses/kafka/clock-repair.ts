import { createRequire } from "node:module";

/**
 * A repair of kafkajs 2.2.4 in memory. It measures how long ago something was by the wall clock. When that is set back by an
 * hour, no heartbeat is sent for an hour, no request times out and no metadata is asked for again; when it is set forward, all
 * requests under way have timed out. These moments are kept by the monotonic clock, and told as the wall clock has them now.
 */
const MOMENTS = [
  ["consumer/consumerGroup.js", "lastRequest"],
  ["network/requestQueue/socketRequest.js", "sentAt"],
  ["network/requestQueue/index.js", "throttledUntil"],
  ["cluster/brokerPool.js", "metadataExpireAt"],
] as const;

const inside = createRequire(import.meta.url);

for (const [file, moment] of MOMENTS) {
  const { prototype } = inside(`kafkajs/src/${file}`) as { prototype: object };
  const kept = Symbol(`metrobus: ${moment} by the monotonic clock`);
  type Kept = Record<typeof kept, number | null | undefined>;
  Object.defineProperty(prototype, moment, {
    get(this: Kept) {
      const at = this[kept];
      return typeof at === "number" ? at + Date.now() - performance.now() : at;
    },
    set(this: Kept, at: number | null | undefined) {
      this[kept] = typeof at === "number" ? at - Date.now() + performance.now() : at;
    },
  });
}
