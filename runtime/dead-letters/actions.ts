import type { Message, Outgoing, Received, RecordHeaders } from "../bus.ts";
import { isLetterId } from "./letter.ts";

/**
 * What somebody asked to be done with a letter, or what came of that: a record each in the actions topic, keyed by the
 * letter. Its facts are its last headers, all text; before them, and as its value, stands the message to be sent.
 */
export interface Action {
  /** The letter's id. */
  readonly letter: string;
  readonly action: "replay" | "discard";
  /** "already": an earlier request had been carried out. "failed": nothing was done, and it can be asked for again. */
  readonly outcome: "asked" | "done" | "already" | "failed";
  /** All that was asked for in one call has the same. */
  readonly run: string;
  /** Who asked. */
  readonly by: string;
  /** Where a replay is sent; "": a discard. */
  readonly to: string;
  /** Why it is discarded, or why it failed. */
  readonly why: string;
  /** The replay has another payload than the letter, or another route. */
  readonly edited: boolean;
}

const KEY = "action.key";
const FACTS = ["action", "action.outcome", "action.run", "action.by", "action.to", "action.why", "action.edited"];
const NAMES = [...FACTS, KEY];
const ACTIONS: readonly string[] = ["replay", "discard"] satisfies Action["action"][];
const OUTCOMES: readonly string[] = ["asked", "done", "already", "failed"] satisfies Action["outcome"][];

/** The record of an action, for the topic `topic`; `message` is what a replay sends. */
export function actionRecord(topic: string, asked: Action, message: Message | null = null): Outgoing {
  const { letter, action, outcome, run, by, to, why, edited } = asked;
  const texts = [action, outcome, run, by, to, why, edited ? "yes" : ""];
  const facts: RecordHeaders = texts.map((text, at) => [FACTS[at]!, Buffer.from(text)]);
  const headers = [...(message?.headers ?? []), ...facts, [KEY, message?.key ?? null] as const];
  return { topic, key: Buffer.from(letter), value: message?.value ?? null, headers };
}

/** What a record of the actions topic says, and what it is to send; null: it is no action. */
export function readAction({ key, value, headers }: Received): { asked: Action; message: Message | null } | null {
  const own = headers.length - NAMES.length;
  if (own < 0 || NAMES.some((name, at) => headers[own + at]![0] !== name)) return null;
  const letter = String(key);
  const [action, outcome, run, by, to, why, edited] = headers.slice(own, -1).map(([, text]) => String(text ?? ""));
  if (!isLetterId(letter) || !ACTIONS.includes(action!) || !OUTCOMES.includes(outcome!)) return null;
  const asked = { letter, action, outcome, run, by, to, why, edited: edited === "yes" } as Action;
  const sends = action === "replay" && outcome === "asked";
  const message = sends ? { topic: to!, key: headers.at(-1)![1], value, headers: headers.slice(0, own) } : null;
  return { asked, message };
}
