import { createRequire } from "node:module";

/**
 * A repair of kafkajs 2.2.4 in memory. It asks for as many bytes however slowly they come: on a slow line the answer takes
 * longer than the request may, it is asked for again behind the first answer, and heartbeats wait behind both. Here a group
 * begins with small pieces; they are doubled while full ones come quickly, and halved when one comes slowly. A consumer that
 * is replaced goes on with what its group had found.
 */
interface ConsumerGroup {
  readonly groupId: string;
  maxBytes: number;
  maxBytesPerPartition: number;
  [asked]?: { readonly maxBytes: number; readonly maxBytesPerPartition: number };
  fetch(nodeId: string): Promise<readonly Fetched[]>;
}

interface Fetched {
  readonly rawMessages: readonly { readonly value?: Buffer | null }[];
}

const asked = Symbol("metrobus: what it was to ask for");
const QUICK_MS = 500;
const SLOW_MS = 2_000;
const MUCH_TOO_SLOW_MS = 5_000;
const LEAST = 16 * 1024;
/** An eighth of what it was to ask for: 32 KB a partition. */
const FIRST = 3;
const SMALLEST = 6;

/** By group: how often the pieces are halved. */
const halvings = new Map<string, number>();

const { prototype: group } = createRequire(import.meta.url)("kafkajs/src/consumer/consumerGroup.js") as {
  prototype: ConsumerGroup;
};
const { fetch } = group;
group.fetch = async function (nodeId) {
  const halved = halvings.get(this.groupId) ?? FIRST;
  this[asked] ??= { maxBytes: this.maxBytes, maxBytesPerPartition: this.maxBytesPerPartition };
  this.maxBytes = Math.max(LEAST, this[asked].maxBytes >> halved);
  this.maxBytesPerPartition = Math.max(LEAST, this[asked].maxBytesPerPartition >> halved);
  const begun = performance.now();
  let isFull = false;
  try {
    const batches = await fetch.call(this, nodeId);
    isFull = halved > 0 && batches.some((batch) => bytesOf(batch) > this.maxBytesPerPartition / 2);
    return batches;
  } finally {
    const next = halved + more(performance.now() - begun, isFull);
    halvings.set(this.groupId, Math.min(Math.max(next, 0), SMALLEST));
  }
};

function more(ms: number, isFull: boolean): number {
  if (ms > MUCH_TOO_SLOW_MS) return 3;
  if (ms > SLOW_MS) return 1;
  return isFull && ms < QUICK_MS ? -1 : 0;
}

function bytesOf({ rawMessages }: Fetched): number {
  return rawMessages.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
}
