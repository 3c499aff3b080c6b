import { InvalidArgumentError, Option, type Command } from "commander";
import { isDuration, milliseconds } from "../duration.ts";
import type { LetterFilter, LetterState } from "../index.ts";

export interface FilterFlags {
  stop?: string;
  reason?: string;
  error?: string;
  since?: number;
  until?: number;
  key?: string;
  id?: string;
  state?: LetterState;
}

const STATES: readonly LetterState[] = ["open", "asked", "replayed", "discarded"];

/** The options that say which letters are meant. */
export function filterOptions(command: Command): Command {
  return command
    .option("--stop <topic>", "that failed at this stop")
    .option("--reason <words>", "with this reason, as the list shows it")
    .option("--error <text>", "whose error's name or message has this in it")
    .option("--since <time>", 'that failed at this time or later: ISO 8601, or a duration back from now, "2h"', time)
    .option("--until <time>", "that failed at this time or before", time)
    .option("--key <key>", "of messages with this key")
    .option("--id <id>", "of the message with this id");
}

export function stateOption(command: Command): Command {
  return command.addOption(new Option("--state <state>", "in this state").choices(STATES));
}

/** null: none is given. */
export function filterOf({ stop, reason, error, since, until, key, id, state }: FilterFlags): LetterFilter | null {
  const given = Object.entries({ stop, reason, error, since, until, key, messageId: id, state });
  const filter = given.filter(([, value]) => value !== undefined);
  return filter.length > 0 ? (Object.fromEntries(filter) as LetterFilter) : null;
}

/** Epoch ms. */
function time(text: string): number {
  const at = isDuration(text) ? Date.now() - milliseconds(text) : Date.parse(text);
  if (Number.isNaN(at))
    throw new InvalidArgumentError(
      'It must be a time such as 2026-11-21T18:00:00Z, or a duration back from now, "2h".',
    );
  return at;
}
