import { time } from "../format.ts";
import { letterHref, stopHref, tripHref } from "../links.ts";
import type { Shown } from "../resource.ts";
import { view } from "../views.ts";
import type { LetterAnswer } from "./letter.ts";
import { OUTCOMES } from "./show.ts";
import { twigsOf } from "./tree.ts";

const letterPage = view("letter");

const STATES = {
  open: "Nobody has acted on it",
  asked: "Somebody has asked for it; it is being done",
  replayed: "It has been replayed",
  discarded: "It has been discarded",
} as const;

export function showLetter(letter: LetterAnswer, shown: Shown): string {
  const { base } = shown;
  const json = letter.payload === undefined ? null : JSON.stringify(letter.payload, null, 2);
  return letterPage({
    ...shown,
    ...letter,
    here: letterHref(base, letter.id),
    words: STATES[letter.state],
    isHandled: letter.state === "replayed" || letter.state === "discarded",
    when: time(letter.time),
    stopHref: letter.stop ? stopHref(base, letter.stop) : null,
    tripHref: letter.messageId ? tripHref(base, letter.messageId) : null,
    place: letter.from && `${letter.from.topic}, partition ${letter.from.partition}, offset ${letter.from.offset}`,
    ways: letter.from && [
      { stop: "", text: "where it failed" },
      ...letter.visited
        .filter((stop) => stop !== letter.from?.topic)
        .map((stop) => ({ stop, text: `rewound to ${stop}` })),
      ...[...new Set(letter.ahead)]
        .filter((stop) => !letter.visited.includes(stop))
        .map((stop) => ({ stop, text: `on to ${stop}` })),
    ],
    route: letter.visited.length + letter.ahead.length > 0 ? letter.ahead.join(", ") : null,
    willFail: letter.missing.length > 0 ? willFail(letter.missing) : null,
    json,
    twigs: json && json.length <= LONGEST_TREE ? twigsOf(letter.payload) : null,
    hex: json !== null ? null : hexDump(Buffer.from(letter.value ?? "", "base64")),
    auditBack: letter.auditBack === null ? null : time(letter.auditBack),
    audit: letter.audit.map((each) => ({ ...each, when: time(each.time), words: OUTCOMES[each.outcome] })),
  });
}

/** Characters; what is longer is shown as text alone. */
const LONGEST_TREE = 100_000;

function willFail(missing: readonly string[]): string {
  const names = new Intl.ListFormat("en").format(missing);
  return missing.length === 1
    ? `Its route names ${names}, which does not exist: there it will fail again. Create the topic, or give it another route.`
    : `Its route names ${names}, which do not exist: there it will fail again. Create the topics, or give it another route.`;
}

const SHOWN_BYTES = 4_096;
const A_LINE = 16;

/** Position, bytes and characters, sixteen in a line. */
function hexDump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, SHOWN_BYTES); at += A_LINE) {
    const line = bytes.subarray(at, at + A_LINE);
    const hex = [...line].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = [...line].map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex.padEnd(A_LINE * 3 - 1)}  ${text}`);
  }
  if (bytes.length > SHOWN_BYTES) lines.push(`… ${bytes.length - SHOWN_BYTES} more bytes`);
  return lines.join("\n");
}
