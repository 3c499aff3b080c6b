import type { RecordHeaders } from "../../runtime/bus.ts";
import { dice, type Dice } from "./dice.ts";
import { hostileValue } from "./values.ts";

export interface HostileRecord {
  readonly kind: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: RecordHeaders;
}

type Pair = readonly [string, Buffer | null];

const NAMES = [
  "constructor",
  "__proto__",
  "toString",
  "",
  "a",
  "é\u{1f600}",
  "\ud800",
  "traceparent",
  "later.",
  "x".repeat(9_000),
];
const NUMBERS = ["0", "1", "-1", "7.5", "1e3", "999999999999999", "9999999999999999999", "NaN", "", "text"];
const LATER = ["partition", "offset", "timestamp", "attempts", "tiers", "since"].map((name) => `later.${name}`);
const LETTER = ["stop", "topic", "partition", "offset", "reason", "error", "message", "attempts", "time"];
const ACTION = ["action", "action.outcome", "action.run", "action.by", "action.to", "action.why", "action.edited"];
const WORDS = ["replay", "discard", "asked", "done", "Next", "../x", "__proto__", "", "\0", "2026-13-45T99:99:99Z"];

const text = (dice: Dice): Buffer | null =>
  dice.once(12)
    ? null
    : dice.once(12)
      ? dice.bytes(dice.below(20))
      : Buffer.from(dice.pick(dice.once(2) ? NUMBERS : WORDS));
const number = (dice: Dice) => Buffer.from(dice.pick(NUMBERS.slice(0, 2)));

/** Header pairs that look like those of metrobus itself, some all in order. */
const lookAlikes: readonly ((dice: Dice) => Pair[])[] = [
  (dice) => LATER.map((name) => [name, dice.once(30) ? text(dice) : number(dice)]),
  (dice) => LATER.map((name) => [name, text(dice)]),
  (dice) => [
    ["later.topic", Buffer.from(dice.pick(["Next", "a/b", "", "Error"]))],
    ["later.due", text(dice)],
  ],
  (dice) => [["later.group", text(dice)]],
  (dice) => LETTER.map((name) => [`dead-letter.${name}`, text(dice)]),
  (dice) => [
    ["replay.letter", text(dice)],
    ["replay.count", text(dice)],
  ],
  (dice) => [...ACTION.map((name): Pair => [name, Buffer.from(dice.pick(WORDS))]), ["action.key", text(dice)]],
  (dice) => Array.from({ length: dice.once(200) ? 3_000 : dice.below(6) }, () => [dice.pick(NAMES), text(dice)]),
];

function headers(dice: Dice): RecordHeaders {
  if (dice.once(2)) return [];
  return Array.from({ length: 1 + dice.below(2) }, () => dice.pick(lookAlikes)(dice)).flat();
}

function key(dice: Dice): Buffer | null {
  if (dice.once(3)) return null;
  if (dice.once(500)) return Buffer.alloc(200_000, "k");
  return dice.once(4)
    ? dice.bytes(dice.below(12))
    : Buffer.from(dice.pick(["", "1", "2", "3", "__proto__", "constructor"]));
}

/** The `n`th hostile record of a seed, always the same. */
export function hostile(seed: number, n: number): HostileRecord {
  const chance = dice(seed, n);
  return { ...hostileValue(chance), key: key(chance), headers: headers(chance) };
}

export function inHex({ kind, key: name, value, headers: pairs }: HostileRecord): string {
  const hex = (bytes: Buffer | null) =>
    bytes === null ? "null" : `${bytes.subarray(0, 2_000).toString("hex")} (${bytes.length} bytes)`;
  const told = pairs
    .slice(0, 20)
    .map(([header, content]) => `\n  header ${JSON.stringify(header.slice(0, 100))} ${hex(content)}`);
  return `kind  ${kind}\n  key   ${hex(name)}\n  value ${hex(value)}${told.join("")}`;
}
