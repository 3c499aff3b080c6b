import type { Bus } from "../bus.ts";
import { readAction, type Action } from "./actions.ts";
import { LetterSet } from "./letter-set.ts";
import type { Tally } from "./report.ts";
import { span, spansOf } from "./scan.ts";

/** Hears the answers to what is asked for from now on in one call: they lie behind the requests, whoever writes them. */
export async function answersTo(run: string, bus: Bus, topic: string, tally: Tally) {
  const answered = new LetterSet();
  const heard = new Map((await spansOf(bus, topic, topic)).map(({ lane, end }) => [lane, end]));

  function hear({ run: of, letter, outcome, why }: Action): void {
    if (of !== run || outcome === "asked" || answered.has(letter)) return;
    answered.add(letter);
    if (outcome === "failed") tally.fail(letter, why);
    else tally[outcome]++;
  }

  return {
    /** Reads what has come since. Returns whether an answer was among it. */
    async listen(): Promise<boolean> {
      const before = answered.size;
      for (const { lane, low, end } of await spansOf(bus, topic, topic)) {
        for await (const record of span(bus, topic, { lane, low: heard.get(lane) ?? low, end })) {
          const said = readAction(record);
          if (said) hear(said.asked);
        }
        heard.set(lane, end);
      }
      return answered.size > before;
    },
    /** Letters that have an answer. */
    get count() {
      return answered.size;
    },
  };
}
