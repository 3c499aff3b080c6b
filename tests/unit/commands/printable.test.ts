import { expect, test } from "vitest";
import { hexDump, jsonBytes, printable, printableBytes, printableJson } from "../../../runtime/commands/printable.ts";

test.for([
  ["plain – ÄÖ 漢字 🚇", "plain – ÄÖ 漢字 🚇"],
  ["two\r\nlines\tand a tab", "two\\r\\nlines\\tand a tab"],
  ["\u001B[2J\u0007\u0000", "\\u{1b}[2J\\u{7}\\u{0}"],
  ["\u009B31m", "\\u{9b}31m"],
  ["abc\u202Edcba", "abc\\u{202e}dcba"],
  ["\u2028\uD800", "\\u{2028}\\u{d800}"],
])("%j can be shown on a terminal", ([text, shown]) => {
  expect(printable(text!)).toBe(shown);
});

test("JSON for a terminal is the JSON that it was", () => {
  const value = { "a\u009B": "\u001B[2J \u202E 🚇 \u{E0001}", b: [1, null] };
  const shown = printableJson(value);
  expect(JSON.parse(shown)).toEqual(value);
  expect(shown).toMatch(/^[ -~🚇]*$/u);
});

test("bytes that are no text are shown in hexadecimal digits, and told apart in JSON", () => {
  expect([printableBytes(null), printableBytes(Buffer.from("k\n")), printableBytes(Buffer.from([255, 1]))]).toEqual([
    "",
    "k\\n",
    "0xff01",
  ]);
  expect([jsonBytes(null), jsonBytes(Buffer.from("k")), jsonBytes(Buffer.from([255]))]).toEqual([
    null,
    "k",
    { base64: "/w==" },
  ]);
  expect([...hexDump(Buffer.from("0123456789abcde\u001B[2J"))]).toEqual([
    "00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 1b  0123456789abcde.",
    "00000010  5b 32 4a                                         [2J",
  ]);
});
