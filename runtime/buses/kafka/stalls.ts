import { Unavailable } from "../../errors.ts";
import type { Lane } from "./lane.ts";
import { TICK_MS } from "./member.ts";

/** After so many looks, about 10 s, it is told of; after 25 s the client is replaced; if that did not help, the subscription fails after 55 s. */
const TOLD_AFTER = 2;
const REPLACE_AFTER = 5;
const FAIL_AFTER = 11;
/** So many looks a lane may be away while the member joins anew. */
const AWAY = 3;

interface Still {
  readonly owed: string;
  looks: number;
  away: number;
}

/**
 * Finds what lies still although the brokers answer: records are there and nothing of them comes, a lane can't begin, or
 * its position can't be committed.
 * A callback, a backoff, a settlement that is tried again, a lane that is full are none of it.
 */
export function stallWatch(lanes: () => Iterable<Lane>, replace: (why: string) => void, fail: (error: Error) => void) {
  const still = new Map<number, Still>();

  function look(): void {
    const seen = new Set<number>();
    for (const lane of lanes()) {
      seen.add(lane.partition);
      const before = still.get(lane.partition);
      const { partition, owed } = lane;
      if (owed === null) still.delete(partition);
      else if (before?.owed === owed) counted(partition, ++before.looks);
      else still.set(partition, { owed, looks: 1, away: 0 });
    }
    for (const [partition, each] of still) if (!seen.has(partition) && ++each.away > AWAY) still.delete(partition);
  }

  function counted(partition: number, looks: number): void {
    const what = inWords(partition, looks);
    if (looks === REPLACE_AFTER) replace(what);
    if (looks === FAIL_AFTER) fail(new Unavailable(`${what}; a new connection did not help: look at the log above`));
  }

  return {
    /** To be called once a `TICK_MS` while the brokers answer. */
    look,
    /** What lies still, in words; null: nothing. */
    problem(): string | null {
      const found = [...still].find(([, { looks }]) => looks >= TOLD_AFTER);
      return found ? inWords(found[0], found[1].looks) : null;
    },
    /** The brokers don't answer: waiting is all that can be done. */
    away: () => still.clear(),
  };
}

function inWords(partition: number, looks: number): string {
  return `partition ${partition} has stood still for ${(looks * TICK_MS) / 1_000} s, though there is something to read or to commit and the brokers answer`;
}
