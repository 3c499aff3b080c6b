import { createRequire } from "node:module";

/**
 * What read_committed means, repaired in kafkajs 2.2.4. Its filter takes the broker's list of aborted transactions for
 * sorted by their first offsets, which it is not; takes one of them at each record, though a fetch may begin behind
 * several; and takes any record whose key is four zero bytes for the end of one. So it lets aborted records through.
 * It knows a partition's end as the high watermark, though nobody may read beyond the last stable offset. And it keeps
 * batches of markers alone to itself, so that nobody knows where it has come to.
 */

const inside = createRequire(import.meta.url);

interface Message {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
  isControlRecord: boolean;
}

interface Partition {
  highWatermark: string;
  lastStableOffset: string;
  abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[] | null;
  messages: readonly Message[];
}

interface FetchResponse {
  decode(raw: unknown): Promise<{ responses: readonly { partitions: readonly Partition[] }[] }>;
}

/** The type of a control record is the second number of its key: 0 is an abort, 1 a commit. */
const isAbort = (key: Buffer | null): boolean => key?.readInt16BE(2) === 0;

/** Aborted records pass for control records, which kafkajs counts as read and gives to nobody. */
function hideAborted({ messages, abortedTransactions }: Partition): void {
  const transactions = (abortedTransactions ?? []).toSorted((a, b) => Number(a.firstOffset) - Number(b.firstOffset));
  const aborted = new Set<string>();
  let begun = 0;
  for (const message of messages) {
    const { producerId, inTransaction } = message.batchContext;
    while (begun < transactions.length && Number(transactions[begun]!.firstOffset) <= Number(message.offset)) {
      aborted.add(transactions[begun++]!.producerId);
    }
    if (!message.isControlRecord) message.isControlRecord = inTransaction && aborted.has(producerId);
    else if (isAbort(message.key)) aborted.delete(producerId);
  }
}

function repair(partition: Partition): void {
  if (partition.abortedTransactions?.length) hideAborted(partition);
  partition.abortedTransactions = null;
  if (Number(partition.lastStableOffset) >= 0) partition.highWatermark = partition.lastStableOffset;
}

for (let version = 4; version <= 11; version++) {
  const response = inside(`kafkajs/src/protocol/requests/fetch/v${version}/response.js`) as FetchResponse;
  const { decode } = response;
  response.decode = async (raw) => {
    const decoded = await decode(raw);
    for (const { partitions } of decoded.responses) partitions.forEach(repair);
    return decoded;
  };
}

const { prototype: batch } = inside("kafkajs/src/consumer/batch.js") as {
  prototype: { isEmpty(this: { rawMessages: readonly unknown[] }): boolean; isEmptyDueToFiltering(): boolean };
};
batch.isEmpty = function () {
  return this.rawMessages.length === 0;
};
batch.isEmptyDueToFiltering = () => false;
