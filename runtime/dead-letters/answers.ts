import type { Bus } from "../bus.ts";
import { readAction, type Action } from "./actions.ts";
import { readCursor } from "./cursor.ts";
import type { Tally } from "./report.ts";
import { span, spansOf } from "./scan.ts";

/**
 * Hears what is said of a run in the actions topic, whoever writes it: from a cursor on, or from now on, since the answers
 * to what is asked for lie behind the requests.
 */
export async function answersTo(run: string, bus: Bus, topic: string, tally: Tally, from: string | undefined) {
  const ends = async () => new Map((await spansOf(bus, topic, topic)).map(({ lane, end }) => [lane, end]));
  const heard = new Map(from === undefined ? await ends() : readCursor(from));

  function hear({ run: of, letter, outcome, why }: Action): void {
    if (of !== run) return;
    if (outcome === "asked") tally.ask(letter);
    else tally.answer(letter, outcome, why);
  }

  return {
    /** Reads what has come since. Returns whether an answer was among it. */
    async listen(): Promise<boolean> {
      const before = tally.answered;
      for (const { lane, low, end } of await spansOf(bus, topic, topic)) {
        const next = heard.get(lane) ?? low;
        for await (const record of span(bus, topic, { lane, low: next > low ? next : low, end })) {
          const said = readAction(record);
          if (said) hear(said.asked);
        }
        heard.set(lane, end);
      }
      return tally.answered > before;
    },
  };
}
