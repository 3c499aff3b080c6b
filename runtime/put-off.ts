import type { Outgoing, Received } from "./bus.ts";

/**
 * A message that comes again later carries, in record headers behind its own, where it stood when it came first and
 * what was tried. Its visit takes them off: they go nowhere else.
 */
export interface Before {
  readonly attempts: number;
  /** How many tiers it has waited in. */
  readonly tiers: number;
  /** When it was put off first, epoch ms; 0: never. */
  readonly since: number;
}

export const NOTHING_BEFORE: Before = { attempts: 0, tiers: 0, since: 0 };

const NAMES = ["partition", "offset", "timestamp", "attempts", "tiers", "since"].map((name) => `later.${name}`);
const LAST = NAMES.at(-1);

/** The record as it came first, to come again at `notBefore` (epoch ms). */
export function putOff(record: Received, { attempts, tiers, since }: Before, notBefore: number): Outgoing {
  const { topic, lane, position, timestamp, key, value, headers } = record;
  const facts = [lane, position, timestamp, attempts, tiers, since];
  const added = facts.map((fact, at) => [NAMES[at]!, Buffer.from(String(fact))] as const);
  return { topic, key, value, headers: [...headers, ...added], notBefore };
}

/** The record as it came first, and what was before; null: it comes for the first time. */
export function comesAgain(record: Received): { record: Received; before: Before } | null {
  const { headers } = record;
  if (headers.length < NAMES.length || headers.at(-1)![0] !== LAST) return null;
  const own = headers.length - NAMES.length;
  if (NAMES.some((name, at) => headers[own + at]![0] !== name)) return null;
  const [lane, position, ...rest] = headers.slice(own).map(([, value]) => String(value));
  const [timestamp, attempts, tiers, since] = rest.map(Number);
  if (!rest.every((text) => /^\d{1,15}$/.test(text))) return null;
  return {
    record: { ...record, lane: lane!, position: position!, timestamp: timestamp!, headers: headers.slice(0, own) },
    before: { attempts: attempts!, tiers: tiers!, since: since! },
  };
}
