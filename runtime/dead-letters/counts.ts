import type { Bus } from "../bus.ts";
import { follow, type Progress } from "./follow.ts";
import { Groups, type LetterGroups } from "./groups.ts";
import { LetterNumbers } from "./letter-numbers.ts";
import { readLetter } from "./letter.ts";
import type { FollowedStanding, StandingWatch } from "./standing.ts";

/**
 * The letters by group, in about two bytes a letter. It is a cache of this process: whoever starts reads all letters
 * once, and from then on what is new.
 */
export interface LetterCounts {
  /** Reads what is new of letters and of what was done with them. Throws Unavailable; the next one goes on from there. */
  refresh(): Promise<void>;
  /** As far as it is read. `first`, `last` and `lastMessage` of a group may be those of letters that retention has removed. */
  groups(): LetterGroups;
  /** How much of the letters and the actions is read. */
  progress(): Progress;
}

/** `signal` ends reading. */
export function letterCounts(bus: Bus, topic: string, standing: FollowedStanding, signal?: AbortSignal): LetterCounts {
  const groups = new Groups();
  /** Letter → its group. */
  const numbers = new LetterNumbers();
  const watch: StandingWatch = {
    moved(letter, from, to) {
      const number = numbers.of(letter);
      if (number) groups.move(number, from, to);
    },
    forgot(old) {
      for (const [letter, number] of numbers) groups.move(number, old.of(letter), "open");
    },
  };
  standing.watch(watch, signal);
  const letters = follow(
    bus,
    topic,
    {
      take(record) {
        const letter = readLetter(record, "open");
        numbers.set(letter.id, groups.add(letter, standing.of(letter.id)));
      },
      gone(removed) {
        for (const [letter, number] of numbers.remove(removed)) groups.remove(number, standing.of(letter));
      },
      forget() {
        numbers.clear();
        groups.clear();
      },
    },
    signal,
  );
  return {
    async refresh() {
      await Promise.all([standing.refresh(), letters.refresh()]);
    },
    groups: () => groups.report(),
    progress() {
      const [one, other] = [standing.progress(), letters.progress()];
      return { read: one.read + other.read, total: one.total + other.total };
    },
  };
}
