import type { MetroBus, Received } from "metrobus";
import { everything } from "./probe.ts";

const KEYS = 40;

/** Numbered messages that travel from the route's first topic to its last, which nobody reads, and the books of them. */
export interface Journey {
  /** How many were sent. */
  readonly sent: number;
  send(messages: number): Promise<void>;
  /** Sends hundreds at a time, but no more than `lead` ahead of the first stop, until it is stopped. */
  underLoad(lead?: number): { stop(): Promise<void> };
  /** Waits until every stop has done all that lies in its topic. */
  arrived(): Promise<void>;
  books(): Promise<Books>;
}

export interface Books {
  /** Numbers that are neither at the end nor among the dead letters. */
  readonly missing: number[];
  /** How many came again, at the end or as dead letters. */
  readonly duplicates: number;
  /** Numbers whose first occurrence comes after that of a higher number of the same key. */
  readonly disordered: number[];
  /** How often, in all partitions of the end, the numbers begin anew at a lower one: a redelivery repeats a stretch in order. */
  readonly stretches: number;
  readonly deadLetters: readonly Received[];
}

export function journey(metro: MetroBus, route: readonly string[]): Journey {
  const first = route[0]!;
  const last = route.at(-1)!;
  const stops = route.slice(0, -1);
  let sent = 0;

  async function send(messages: number): Promise<void> {
    const from = sent;
    sent += messages;
    await metro.bus.send(Array.from({ length: messages }, (_, n) => numbered(route, from + n)));
  }

  const lag = async (topic: string) =>
    (await metro.state(topic)).reduce((sum, { position, end }) => sum + Number(end - position), 0);

  function underLoad(lead = 1_000) {
    let on = true;
    const ended = (async () => {
      while (on) {
        if ((await lag(first)) < lead) await send(200);
        else await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    return {
      async stop() {
        on = false;
        await ended;
      },
    };
  }

  async function arrived(): Promise<void> {
    for (const topic of stops) {
      while ((await lag(topic)) > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async function books(): Promise<Books> {
    const [ends, deadLetters] = await Promise.all([
      everything(metro.bus, last),
      everything(metro.bus, metro.config.deadLetterTopic),
    ]);
    const seen = new Set<number>();
    const disordered: number[] = [];
    let stretches = 0;
    const highest = new Map<string, number>();
    const before = new Map<string, number>();
    for (const record of ends) {
      const n = numberOf(record);
      const key = String(record.key);
      if (!seen.has(n) && n < (highest.get(key) ?? -1)) disordered.push(n);
      if (n <= (before.get(key) ?? -1)) stretches++;
      before.set(key, n);
      highest.set(key, Math.max(n, highest.get(key) ?? -1));
      seen.add(n);
    }
    const numberedLetters = deadLetters.filter(({ value }) => value?.toString().includes('"n":'));
    for (const letter of numberedLetters) seen.add(numberOf(letter));
    const missing = Array.from({ length: sent }, (_, n) => n).filter((n) => !seen.has(n));
    return {
      missing,
      duplicates: ends.length + numberedLetters.length - seen.size,
      disordered,
      stretches,
      deadLetters,
    };
  }

  return {
    get sent() {
      return sent;
    },
    send,
    underLoad,
    arrived,
    books,
  };
}

export function numberOf(record: Pick<Received, "value">): number {
  return (JSON.parse(String(record.value)) as { payload: { n: number } }).payload.n;
}

/** As any producer may write it: the header needs nothing but the stops ahead, next stop last. */
export function numbered(route: readonly string[], n: number) {
  const [topic, ...ahead] = route;
  const value = JSON.stringify({ header: { route: ahead.toReversed() }, payload: { n } });
  return { topic: topic!, key: Buffer.from(`key ${n % KEYS}`), value: Buffer.from(value), headers: [] };
}
