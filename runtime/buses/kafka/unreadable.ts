import type { KafkaMessage } from "kafkajs";
import { asError, UnreadableBatch } from "../../errors.ts";

const why = Symbol("metrobus: why the batch can't be read");

/** What is known of a batch without its records. */
export interface UnreadContext {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly maxTimestamp: string;
  readonly isControlBatch: boolean;
}

/**
 * What stands for a batch that can't be read, so that it holds nobody up and nothing of it is lost: one message at its last
 * offset, with the whole batch as its value. Those who read from within the batch get it too.
 */
export function unreadable(
  { topic, partition }: { topic: string; partition: number },
  batch: Buffer,
  batchContext: UnreadContext,
  error: unknown,
): KafkaMessage {
  const { firstOffset, lastOffsetDelta, maxTimestamp, isControlBatch } = batchContext;
  const offset = String(BigInt(firstOffset) + BigInt(Math.max(0, lastOffsetDelta)));
  const message = {
    attributes: 0,
    timestamp: maxTimestamp,
    offset,
    key: null,
    value: batch,
    headers: {},
    isControlRecord: isControlBatch,
    batchContext,
    [why]: new UnreadableBatch(topic, partition, firstOffset, offset, asError(error).message),
  };
  return message as unknown as KafkaMessage;
}

export function whyUnreadable(message: KafkaMessage): UnreadableBatch | undefined {
  return (message as { [why]?: UnreadableBatch })[why];
}
