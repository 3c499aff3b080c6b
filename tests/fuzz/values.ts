import fc from "fast-check";
import type { Dice } from "./dice.ts";

/** Hostile values, by what is wrong with them. Some are messages in order: what works has to go on working. */

type Value = Buffer | null;

const TOPICS = ["Next", "Other"];
/** Names that mean something to JavaScript. */
const MAGIC_NAMES = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "then",
  "length",
];
const NUMBERS =
  "1e400 -1e400 -0 1e-400 123456789012345678901234567890 9007199254740993 0.1e1000000 18446744073709551616 1E+2".split(
    " ",
  );
const TEXTS = ['"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"é\\u2028"', '"\\u202eabc"', '"\\"\\\\{}[]"', '""'];
const LEVELS = [200, 200, 2_000, 2_000, 20_000, 100_000];
const MEMBERS = [100, 1_000, 20_000];
const MEGABYTE = 1_048_576;

/** One that a producer would write. */
export function envelope(dice: Dice): string {
  return wrapped(header(dice), payload(dice), dice.once(6) ? "body" : "payload");
}

const wrapped = (head: string, body: string, field = "payload") => `{"header":${head},"${field}":${body}}`;

function header(dice: Dice, route = goodRoute(dice), more = ""): string {
  const id = dice.once(3) ? "" : `,"id":"Source-${dice.below(4)}-${dice.below(100)}"`;
  const past = dice.once(2) ? "" : `,"historical_route":["Source","${dice.pick(STOPS)}"],"boarded":1763700000000`;
  return `{"route":${route}${id}${past}${more}}`;
}

/** The stops under test: a route can lead back to them. */
export const STOPS = ["Passing", "Changing", "Driving", "Once", "Transacting"] as const;

function goodRoute(dice: Dice): string {
  const stops = dice.once(8) ? [...TOPICS, ...STOPS] : TOPICS;
  return JSON.stringify(Array.from({ length: dice.below(4) }, () => dice.pick(stops)));
}

function payload(dice: Dice): string {
  const data = { account_number: dice.below(1e6), name: "Zoë \u{1f600}", nested: { list: [1, "2", null, { a: [] }] } };
  return dice.once(4) ? dice.pick(["7", "null", '"text"', "[]", "{}", "true"]) : JSON.stringify(data);
}

function deep(dice: Dice): string {
  const levels = dice.pick(LEVELS);
  return dice.once(2) ? "[".repeat(levels) + "]".repeat(levels) : `${'{"a":'.repeat(levels)}0${"}".repeat(levels)}`;
}

function mangled(dice: Dice, change: (bytes: Buffer) => Buffer): Buffer {
  let bytes = Buffer.from(envelope(dice));
  for (let left = 1 + dice.below(4); left > 0 && bytes.length > 0; left--) bytes = Buffer.from(change(bytes));
  return bytes;
}

function flipped(dice: Dice, bytes: Buffer): Buffer {
  const at = dice.below(bytes.length);
  bytes[at]! ^= 1 << dice.below(8);
  return bytes;
}

function spliced(dice: Dice, bytes: Buffer): Buffer {
  const other = Buffer.from(envelope(dice));
  return Buffer.concat([bytes.subarray(0, dice.below(bytes.length)), other.subarray(dice.below(other.length))]);
}

/** Puts text before, in or behind the members of some object of an envelope. */
function withMember(dice: Dice, member: string): string {
  const text = envelope(dice);
  const opens = [...text.matchAll(/\{(?!\})/g)].map(({ index }) => index + 1);
  const at = dice.pick(opens);
  return `${text.slice(0, at)}${member},${text.slice(at)}`;
}

const BAD_ROUTES: readonly ((dice: Dice) => string)[] = [
  () => '"Next"',
  () => "{}",
  () => "null",
  () => '[["Next"]]',
  () => "[null]",
  () => '["Next",7]',
  () => '["."]',
  () => '["a/b"]',
  () => '[""]',
  () => '["__proto__"]',
  () => '["constructor"]',
  () => '["Nowhere"]',
  () => '["Error"]',
  () => '["Error.actions"]',
  () => JSON.stringify(["x".repeat(250)]),
  () => JSON.stringify(["\ud800"]),
  () => JSON.stringify(Array.from({ length: 100 }, () => "Next")),
  (dice) => JSON.stringify(Array.from({ length: 20 }, () => dice.pick(STOPS))),
  () => JSON.stringify(Array.from({ length: 20_000 }, () => "Next")),
];
const BAD_IDS = ["7", "null", "{}", "[]", "true", '""', '"__proto__"', '"\\ud800"', "1e400", '"a\\nb"'];

const arbitraries: readonly fc.Arbitrary<Buffer>[] = [
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ unit: "binary", maxLength: 100 }).map((text) => Buffer.from(text)),
  fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
  fc.json({ maxDepth: 3 }).map((text) => Buffer.from(wrapped('{"route":["Next"]}', text))),
  fc
    .record(
      { header: fc.dictionary(fc.string(), fc.jsonValue()), payload: fc.jsonValue() },
      { requiredKeys: ["header"] },
    )
    .map((value) => Buffer.from(JSON.stringify(value))),
];

type Kind = readonly [weight: number, make: (dice: Dice) => Value | string];

const kinds: Readonly<Record<string, Kind>> = {
  "in order": [240, envelope],
  "bits flipped": [160, (dice) => mangled(dice, (bytes) => flipped(dice, bytes))],
  "cut off": [80, (dice) => mangled(dice, (bytes) => bytes.subarray(0, dice.below(bytes.length)))],
  spliced: [120, (dice) => mangled(dice, (bytes) => spliced(dice, bytes))],
  "keys twice": [
    120,
    (dice) =>
      withMember(dice, dice.pick(['"payload":1', '"pay\\u006coad":{"x":2}', `"header":${header(dice)}`, '"route":[]'])),
  ],
  "magic keys": [
    160,
    (dice) => withMember(dice, `"${dice.pick(MAGIC_NAMES)}":${dice.pick(['{"polluted":1}', "1", "null"])}`),
  ],
  numbers: [120, (dice) => withMember(dice, `"${dice.pick(["boarded", "n", "id", "0"])}":${dice.pick(NUMBERS)}`)],
  texts: [120, (dice) => withMember(dice, `${dice.pick(TEXTS)}:${dice.pick(TEXTS)}`)],
  "another encoding": [120, otherEncoding],
  "bad routes": [160, (dice) => wrapped(header(dice, dice.pick(BAD_ROUTES)(dice)), payload(dice))],
  "bad ids": [80, (dice) => wrapped(header(dice, goodRoute(dice), `,"id":${dice.pick(BAD_IDS)}`), payload(dice))],
  "bad history": [
    40,
    (dice) => wrapped(`{"route":${goodRoute(dice)},"historical_route":${dice.pick(BAD_ROUTES)(dice)}}`, "1"),
  ],
  "no envelope": [80, (dice) => dice.pick(["", "null", "[]", "{}", '{"header":{}}', '{"header":[],"payload":1}', "0"])],
  "a tombstone": [20, () => null],
  deep: [2, (dice) => dice.pick([wrapped(header(dice), deep(dice)), deep(dice), "[".repeat(300_000)])],
  "a deep header": [1, (dice) => wrapped(header(dice, goodRoute(dice), `,"x":${deep(dice)}`), payload(dice))],
  "a deep neighbour": [1, (dice) => `{"x":${deep(dice)},${envelope(dice).slice(1)}`],
  large: [1, (dice) => wrapped(header(dice), JSON.stringify("x\ud83d\ude00".repeat(MEGABYTE / 6)))],
  "a large id": [1, (dice) => wrapped(header(dice, goodRoute(dice), `,"id":"${"i".repeat(MEGABYTE)}"`), "1")],
  spaces: [1, (dice) => envelope(dice).replaceAll(":", `:${" \t\r\n".repeat(10_000)}`)],
  "many keys": [1, (dice) => wrapped(header(dice), manyKeys(dice.pick(MEMBERS)))],
  arbitrary: [480, (dice) => dice.pick(arbitraries).generate(new fc.Random(dice.generator), 3).value],
};

function manyKeys(count: number): string {
  return `{${Array.from({ length: count }, (_, n) => `"${n}k":0`).join(",")}}`;
}

function otherEncoding(dice: Dice): Buffer {
  const text = envelope(dice);
  const utf16 = Buffer.from(text, "utf16le");
  return dice.pick([
    () => Buffer.from(text, "latin1"),
    () => utf16,
    () => Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]),
    () => Buffer.from(utf16).swap16(),
    () => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]),
    () => Buffer.from(text.replace('"header"', '"h\u00c0\u0080eader"'), "latin1"),
    () => Buffer.concat([Buffer.from(text), Buffer.alloc(3)]),
  ])();
}

const weighted = Object.entries(kinds).flatMap(([kind, [weight]]) => Array.from({ length: weight }, () => kind));

export function hostileValue(dice: Dice): { kind: string; value: Value } {
  const kind = dice.pick(weighted);
  const made = kinds[kind]![1](dice);
  return { kind, value: typeof made === "string" ? Buffer.from(made) : made };
}
