import { Unavailable } from "../../errors.ts";
import type { Lane } from "./lane.ts";
import { TICK_MS } from "./member.ts";

/** After so many looks, about 10 s, it is told of; after 25 s the client is replaced; if that did not help, the subscription fails after 55 s. */
const TOLD_AFTER = 2;
const REPLACE_AFTER = 5;
const FAIL_AFTER = 11;
/** So many looks a lane may be away while the member joins anew. */
const AWAY = 3;

/**
 * Finds what lies still although the brokers answer. Records are there and nothing of them comes, a lane can't begin, or
 * its position can't be committed: the client may be at fault, and is replaced. Results that are not taken, by brokers that
 * say why, are only told of: they are sent again, with new connections, for as long as it takes.
 * A callback, a backoff, a dead letter that has no topic, a lane that is full are none of it.
 */
export function stallWatch(lanes: () => Iterable<Lane>, replace: (why: string) => void, fail: (error: Error) => void) {
  const owed = stillness(({ owed: what }) => what);
  const refused = stillness(({ settler: { asked } }) => (asked === 0 ? null : String(asked)));

  return {
    /** To be called once a `TICK_MS` while the brokers answer. */
    look(): void {
      const all = [...lanes()];
      refused.look(all);
      for (const still of owed.look(all)) {
        if (still.looks === REPLACE_AFTER) replace(owedInWords(still));
        const what = `${owedInWords(still)}; a new connection did not help: look at the log above`;
        if (still.looks === FAIL_AFTER) fail(new Unavailable(what));
      }
    },
    /** What lies still, in words; null: nothing. */
    problem(): string | null {
      const [first, other] = [owed.longest(), refused.longest()];
      return first ? owedInWords(first) : other ? refusedInWords(other) : null;
    },
    /** The brokers don't answer: waiting is all that can be done. */
    away(): void {
      owed.clear();
      refused.clear();
    },
  };
}

interface Still {
  readonly partition: number;
  /** What was the same at each look. */
  readonly sign: string;
  looks: number;
  away: number;
}

/** Counts for how many looks each lane has shown the same sign; null: there is nothing to look for. */
function stillness(signOf: (lane: Lane) => string | null) {
  const found = new Map<number, Still>();

  /** Returns those that show what they showed at the last look. */
  function look(lanes: readonly Lane[]): Still[] {
    const same: Still[] = [];
    for (const lane of lanes) {
      const { partition } = lane;
      const [sign, before] = [signOf(lane), found.get(partition)];
      if (sign === null) found.delete(partition);
      else if (before?.sign !== sign) found.set(partition, { partition, sign, looks: 1, away: 0 });
      else {
        before.looks++;
        same.push(before);
      }
    }
    const here = new Set(lanes.map(({ partition }) => partition));
    for (const each of found.values())
      if (!here.has(each.partition) && ++each.away > AWAY) found.delete(each.partition);
    return same;
  }

  return {
    look,
    longest: (): Still | undefined =>
      [...found.values()].filter(({ looks }) => looks >= TOLD_AFTER).toSorted((a, b) => b.looks - a.looks)[0],
    clear: () => found.clear(),
  };
}

const seconds = ({ looks }: Still): number => (looks * TICK_MS) / 1_000;

function owedInWords(still: Still): string {
  return `partition ${still.partition} has stood still for ${seconds(still)} s: it waits for ${still.sign}, though the brokers answer`;
}

function refusedInWords(still: Still): string {
  return `the brokers have not taken the results of partition ${still.partition} for ${seconds(still)} s: they are sent until they are; the log says why`;
}
