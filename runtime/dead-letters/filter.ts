import { ConfigError } from "../errors.ts";
import { isLetterId, type Letter } from "./letter.ts";
import type { LetterState } from "./standing.ts";

/** Which letters are meant: those that fit all that is given. */
export interface LetterFilter {
  /** Letters' ids. */
  readonly ids?: readonly string[];
  readonly stop?: string;
  readonly reason?: string;
  /** The error's name. */
  readonly errorName?: string;
  /** Part of the error's name or message, in any case. */
  readonly error?: string;
  /** Epoch ms, both included. */
  readonly since?: number;
  readonly until?: number;
  readonly key?: string | Buffer;
  /** The message's id: there may be several letters of one message. */
  readonly messageId?: string;
  /** Default: any. For replay and discard always those that are not handled. */
  readonly state?: LetterState;
}

/** Throws ConfigError when an id is none. */
export function letterMatcher(filter: LetterFilter): (letter: Letter) => boolean {
  const wrong = filter.ids?.filter((id) => !isLetterId(id)) ?? [];
  if (wrong.length > 0)
    throw new ConfigError(
      wrong.map((id) => `${JSON.stringify(id)} is no letter's id: give <partition>-<offset>, such as 2-117`),
    );
  const { stop, reason, errorName, since, until, state } = filter;
  const ids = filter.ids && new Set(filter.ids);
  const key = filter.key === undefined ? undefined : Buffer.from(filter.key);
  const error = filter.error?.toLowerCase();
  const tests: ((letter: Letter) => boolean)[] = [
    (letter) => !ids || ids.has(letter.id),
    (letter) => stop === undefined || letter.stop === stop,
    (letter) => reason === undefined || letter.reason === reason,
    (letter) => errorName === undefined || letter.error === errorName,
    (letter) => error === undefined || `${letter.error}: ${letter.message}`.toLowerCase().includes(error),
    (letter) => since === undefined || letter.time >= since,
    (letter) => until === undefined || letter.time <= until,
    (letter) => key === undefined || (letter.key?.equals(key) ?? false),
    (letter) => state === undefined || letter.state === state,
    (letter) => filter.messageId === undefined || letter.messageId === filter.messageId,
  ];
  return (letter) => tests.every((fits) => fits(letter));
}
