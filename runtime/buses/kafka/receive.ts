import type { Batch, KafkaMessage } from "kafkajs";
import type { Received } from "../../bus.ts";
import { headersOf } from "./headers.ts";
import { whyUnreadable } from "./unreadable.ts";

/** Fetched records that are less than this part of the network's buffer in which they lie are copied. */
const LEAST_SHARE = 1 / 8;

/**
 * The records of what was fetched, from an offset on. Their bytes are slices of the network's buffer, of which one slice
 * keeps all in memory, megabytes for hundreds of bytes: a lane's few records among many of others are copied.
 */
export function receive({ topic, partition, messages }: Batch, from: number): Received[] {
  const lane = String(partition);
  const fresh = messages.length > 0 && Number(messages[0]!.offset) < from;
  const wanted = fresh ? messages.filter(({ offset }) => Number(offset) >= from) : messages;
  const kept = isSmallPart(wanted) ? copied : same;
  return wanted.map((message: KafkaMessage) => {
    const record = {
      topic,
      lane,
      position: message.offset,
      timestamp: Number(message.timestamp),
      key: kept(message.key),
      value: kept(message.value),
      headers: headersOf(message.headers),
    };
    const unreadable = whyUnreadable(message);
    return unreadable ? { ...record, unreadable } : record;
  });
}

function isSmallPart(messages: readonly KafkaMessage[]): boolean {
  let bytes = 0;
  for (const { key, value } of messages) bytes += (key?.length ?? 0) + (value?.length ?? 0);
  const whole = (messages[0]?.value ?? messages[0]?.key)?.buffer.byteLength ?? 0;
  return bytes < whole * LEAST_SHARE;
}

const same = (bytes: Buffer | null): Buffer | null => bytes;
const copied = (bytes: Buffer | null): Buffer | null => bytes && Buffer.from(bytes);
