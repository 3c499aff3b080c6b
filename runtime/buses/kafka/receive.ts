import type { Batch, KafkaMessage } from "kafkajs";
import type { Received } from "../../bus.ts";
import { headersOf } from "./headers.ts";

/** A record that waits this far behind others is copied. */
const COPY_ABOVE_BYTES = 256 * 1024;

/**
 * The records of what was fetched, from an offset on. Their bytes are slices of the network's buffer, which one slice
 * keeps in memory as a whole, megabytes for hundreds of bytes: so what will wait for long is copied. `waiting` is how
 * many bytes wait before them.
 */
export function receive({ topic, partition, messages }: Batch, from: number, waiting: number): Received[] {
  const lane = String(partition);
  const kept = waiting > COPY_ABOVE_BYTES ? copied : same;
  const fresh = messages.length > 0 && Number(messages[0]!.offset) < from;
  const wanted = fresh ? messages.filter(({ offset }) => Number(offset) >= from) : messages;
  return wanted.map((message: KafkaMessage) => ({
    topic,
    lane,
    position: message.offset,
    timestamp: Number(message.timestamp),
    key: kept(message.key),
    value: kept(message.value),
    headers: headersOf(message.headers),
  }));
}

const same = (bytes: Buffer | null): Buffer | null => bytes;
const copied = (bytes: Buffer | null): Buffer | null => bytes && Buffer.from(bytes);
