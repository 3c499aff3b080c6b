import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { MetroBus } from "metrobus";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { FIRST_ACCOUNT, LAST_ACCOUNT } from "./accounts.ts";

export interface Order {
  x: number;
  message_type_code: string;
  account_number: number;
}

export interface PushOptions {
  /** Default: 1000. */
  count?: number;
  /** Messages per second, 0: as fast as it goes. Default: 10. */
  rate?: number;
  /** The same seed gives the same messages. */
  seed?: number;
  /** Sent with every message in the record header `run`. Default: a random one. */
  run?: string;
  signal?: AbortSignal;
  /** Messages on the bus so far. */
  onProgress?: (sent: number) => void;
}

/** How many messages are on their way to the bus at once, at most. */
const WINDOW = 500;

/** The messages of a run, without end: `x` counts from 0, the account is any in the range. */
export function* orders(seed = 1): Generator<Order, never> {
  const random = xoroshiro128plus(seed + 2);
  for (let x = 0; ; x++)
    yield { x, message_type_code: "ALTABC", account_number: uniformInt(random, FIRST_ACCOUNT, LAST_ACCOUNT) };
}

/**
 * Pushes messages to Source at a steady rate (catching up after a delay), keyed by account. Ends early, without an
 * error, when `signal` aborts. Returns how many are on the bus. Throws what `bus.send` throws.
 */
export async function push(bus: Pick<MetroBus, "send">, options: PushOptions = {}): Promise<number> {
  const { count = 1000, rate = 10, run = randomUUID(), signal, onProgress } = options;
  const all = orders(options.seed);
  const pushNext = async () => {
    const order = all.next().value;
    await bus.send("Source", order, { key: String(order.account_number), headers: { run } });
  };
  const started = performance.now();
  const dueNow = () =>
    rate === 0 ? count : Math.min(count, 1 + Math.floor(((performance.now() - started) / 1000) * rate));
  let sent = 0;
  while (sent < count && !signal?.aborted) {
    const due = Math.min(dueNow() - sent, WINDOW);
    await Promise.all(Array.from({ length: due }, pushNext));
    sent += due;
    onProgress?.(sent);
    if (rate > 0 && sent < count) await pause(started + (sent / rate) * 1000 - performance.now(), signal);
  }
  return sent;
}

/** What timers take; they end at once when they are given more. */
const LONGEST_MS = 2 ** 31 - 1;

const pause = (ms: number, signal?: AbortSignal) =>
  ms > 0 ? sleep(Math.min(ms, LONGEST_MS), undefined, signal && { signal }).catch(() => {}) : undefined;
