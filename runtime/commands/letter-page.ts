import { isUtf8 } from "node:buffer";
import { exactJson, type Letter, type LoggedAction } from "../index.ts";
import { isoTime, letterJson } from "./letter-list.ts";
import { hexDump, jsonBytes, printable, printableBytes } from "./printable.ts";

/** All of one letter, for people. */

const MOST_HEX = 4_096;

export function* letterPage(letter: Letter, history: readonly LoggedAction[]): Generator<string> {
  const { id, state, time, stop, from, reason, error, message, attempts, replayOf, messageId, visited, ahead } = letter;
  const facts: readonly (readonly [string, string])[] = [
    ["letter", id],
    ["state", state],
    ["failed at", isoTime(time)],
    ["stop", stop],
    ["stood in", from ? `${from.topic}, partition ${from.partition}, offset ${from.offset}` : ""],
    ["reason", reason],
    ["error", [error, message].filter(Boolean).join(": ")],
    ["attempts", attempts ? String(attempts) : ""],
    ["replay of", replayOf ? `${replayOf.letter}, replay ${replayOf.count} of the message` : ""],
    ["message id", messageId],
    ["visited", visited.join(" > ")],
    ["still ahead", ahead.join(" > ")],
    ["key", printableBytes(letter.key)],
  ];
  for (const [name, text] of facts) if (text) yield `${name.padEnd(12)}${printable(text)}`;
  yield* section(
    "headers",
    letter.headers.map(([name, value]) => `${printable(name)}: ${printableBytes(value)}`),
  );
  yield* section("stack", letter.stack.split("\n").filter(Boolean).map(printable));
  yield* section("message", [...valueLines(letter.value)]);
  yield* section("history", history.map(actionLine));
}

function* section(title: string, lines: readonly string[]): Generator<string> {
  if (lines.length === 0) return;
  yield "";
  yield title;
  for (const line of lines) yield `  ${line}`;
}

/** JSON indented, other text as it is, bytes in hexadecimal digits. */
function* valueLines(value: Buffer | null): Generator<string> {
  if (value === null) yield "null";
  else if (isUtf8(value)) yield* indented(value.toString()).split("\n").map(printable);
  else {
    yield* hexDump(value.subarray(0, MOST_HEX));
    if (value.length > MOST_HEX) yield `… ${value.length - MOST_HEX} bytes more: --json has all`;
  }
}

function indented(text: string): string {
  try {
    return JSON.stringify(exactJson(text), null, 2);
  } catch {
    return text;
  }
}

export function actionLine({ time, letter, action, outcome, by, to, why, edited }: LoggedAction): string {
  const where = to && ` to ${to}${edited ? ", edited" : ""}`;
  const words = { asked: "asked for", done: "done", already: "not done, it had been handled before", failed: "failed" };
  const because = why && `: ${why}`;
  return printable(`${isoTime(time)}  ${letter}  ${action}${where} by ${by || "?"}: ${words[outcome]}${because}`);
}

export function letterPageJson(letter: Letter, history: readonly LoggedAction[]): object {
  return {
    ...letterJson(letter),
    stack: letter.stack,
    visited: letter.visited,
    ahead: letter.ahead,
    headers: letter.headers.map(([name, value]) => [name, jsonBytes(value)]),
    value: jsonBytes(letter.value),
    history,
  };
}
