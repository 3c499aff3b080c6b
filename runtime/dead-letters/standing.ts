import type { Bus } from "../bus.ts";
import { readAction, type Action } from "./actions.ts";
import { LetterSet } from "./letter-set.ts";
import { follow, type Following } from "./follow.ts";
import { span, spansOf } from "./scan.ts";

/** "asked": somebody has asked for an action that nobody has carried out yet. */
export type LetterState = "open" | "asked" | "replayed" | "discarded";

export const LETTER_STATES: readonly LetterState[] = ["open", "asked", "replayed", "discarded"];

/** Where each letter stands, as the actions have it that it was told of, in their order; two or three bits a letter. */
export class Standing {
  readonly #asked = new LetterSet();
  readonly #replayed = new LetterSet();
  readonly #discarded = new LetterSet();

  note({ letter, action, outcome }: Action): void {
    if (outcome === "asked") this.#asked.add(letter);
    else this.#asked.delete(letter);
    if (outcome === "done") (action === "replay" ? this.#replayed : this.#discarded).add(letter);
  }

  of(letter: string): LetterState {
    if (this.#replayed.has(letter)) return "replayed";
    if (this.#discarded.has(letter)) return "discarded";
    return this.#asked.has(letter) ? "asked" : "open";
  }
}

/** Nothing more can be done with such a letter. */
export const isHandled = (state: LetterState): boolean => state === "replayed" || state === "discarded";

/** As all records of the actions topic have it. */
export async function readStanding(bus: Bus, topic: string, signal?: AbortSignal): Promise<Standing> {
  const standing = new Standing();
  for (const lane of await spansOf(bus, topic, topic)) {
    for await (const record of span(bus, topic, lane)) {
      signal?.throwIfAborted();
      const said = readAction(record);
      if (said) standing.note(said.asked);
    }
  }
  return standing;
}

/** What is told of changes. */
export interface StandingWatch {
  /** A letter's state is another one. */
  moved(letter: string, from: LetterState, to: LetterState): void;
  /** All letters are open again; `old` is where they stood. */
  forgot(old: Standing): void;
}

/** Where letters stand, kept up by reading on in the actions topic. */
export interface FollowedStanding extends Following {
  of(letter: string): LetterState;
  /** Tells of all that changes from now on, until the signal aborts. */
  watch(watch: StandingWatch, signal?: AbortSignal): void;
}

export function followStanding(bus: Bus, topic: string): FollowedStanding {
  const watching = new Set<StandingWatch>();
  let standing = new Standing();

  function note(action: Action): void {
    const from = standing.of(action.letter);
    standing.note(action);
    const to = standing.of(action.letter);
    if (from !== to) for (const watch of watching) watch.moved(action.letter, from, to);
  }

  const following = follow(bus, topic, {
    take(record) {
      const said = readAction(record);
      if (said) note(said.asked);
    },
    forget() {
      for (const watch of watching) watch.forgot(standing);
      standing = new Standing();
    },
  });
  return {
    ...following,
    of: (letter) => standing.of(letter),
    watch(watch, signal) {
      watching.add(watch);
      signal?.addEventListener("abort", () => watching.delete(watch), { once: true });
    },
  };
}
