import type { Letter } from "metrobus";
import { expect, test } from "vitest";
import { letterTable } from "../../../runtime/commands/letter-list.ts";
import { letterPage } from "../../../runtime/commands/letter-page.ts";
import { metrobus } from "../../support/program.ts";

const letter = (more: Partial<Letter> = {}): Letter => ({
  id: "2-117",
  state: "open",
  time: Date.parse("2026-11-21T18:00:00Z"),
  stop: "Charge",
  from: { topic: "Charge", partition: "0", offset: "7" },
  reason: "TypeError",
  error: "TypeError",
  message: "it is bad",
  stack: "TypeError: it is bad\n    at charge",
  attempts: 3,
  replayOf: null,
  key: Buffer.from("ann"),
  value: Buffer.from('{"header":{"route":[]},"payload":{"cents":12345678901234567890.50}}'),
  headers: [["trace", Buffer.from("t")]],
  messageId: "m1",
  visited: ["Charge"],
  ahead: ["Ship", "Log"],
  payload: {},
  payloadJson: "{}",
  ...more,
});

test.for([
  [["errors"], /^Usage: metrobus errors/],
  [["errors", "replay"], /^metrobus: which letters\? Name them by their ids, or give a filter/],
  [["errors", "replay", "2-117", "--all"], /^metrobus: which letters\?.*one of the three/],
  [["errors", "discard", "2-117"], /^error: required option '--why <reason>' not specified/],
  [["errors", "list", "--since", "yesterday"], /^error: .*It must be a time such as 2026-/],
  [["errors", "list", "--state", "gone"], /^error: .*Allowed choices are open, asked, replayed, discarded/],
  [["errors", "replay", "2-117", "--payload", "1", "--edit", "x"], /^metrobus: --payload and --edit both/],
  [["errors", "replay", "2-117", "--edit", "nowhere.json"], /^metrobus: --edit nowhere\.json can't be read/],
  [["errors", "list"], /^metrobus: METROBUS_BUS=memory: that bus ends with its process/],
] as const)("%j is wrong usage, in words: exit code 2, no stack trace", async ([args, words]) => {
  const { code, stdout, stderr } = await metrobus(args, { METROBUS_BUS: "memory" });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(words);
  expect(stderr).not.toContain("    at ");
});

test("a table is as wide as its letters need, and cut where the terminal ends", () => {
  const long = letter({ id: "10-1234567", stop: "AStopWithALongNameIndeed", message: "\u001B[2J".repeat(20) });
  const whole = letterTable([letter(), long], null);
  expect([whole.head, whole.line(letter())]).toEqual([
    "LETTER      FAILED AT            STATE  STOP                      REASON     KEY  ERROR",
    "2-117       2026-11-21 18:00:00  open   Charge                    TypeError  ann  TypeError: it is bad",
  ]);
  expect(whole.line(long)).toContain(`TypeError: ${"\\u{1b}[2J".repeat(20)}`);
  const narrow = letterTable([letter(), long], 80);
  const lines = [narrow.head, narrow.line(letter()), narrow.line(long)];
  expect(lines.every((line) => line.length <= 80)).toBe(true);
  expect(lines[2]).toMatch(
    /^10-1234567 {2}2026-11-21 18:00:00 {2}open {3}AStopWithA… {2}TypeError {2}ann {2}TypeErr.*…$/,
  );
  expect(whole.line(letter({ replayOf: { letter: "0-1", count: 2 } }))).toContain("(replay 2, of 0-1)");
});

test("a letter's page tells all, numbers with all their digits, and nothing that a terminal obeys", () => {
  const history = [
    {
      time: Date.parse("2026-11-21T19:00:00Z"),
      letter: "2-117",
      action: "replay",
      outcome: "failed",
      run: "r",
      by: "ann\u001B[2J",
      to: "Charge",
      why: "no",
      edited: true,
    },
  ] as const;
  const page = [...letterPage(letter({ stop: "\u001B[2J", state: "replayed" }), history)];
  expect(page).toContain("stood in    Charge, partition 0, offset 7");
  expect(page).toContain('      "cents": 12345678901234567890.50');
  expect(page).toContain("  2026-11-21 19:00:00  2-117  replay to Charge, edited by ann\\u{1b}[2J: failed: no");
  expect(page).toContain("      at charge");
  expect(page.join("")).toMatch(/^[ -~]*$/);
  expect([...letterPage(letter({ value: Buffer.from("\u001B]0;x\nnot JSON") }), [])].slice(-2)).toEqual([
    "  \\u{1b}]0;x",
    "  not JSON",
  ]);
  const large = [...letterPage(letter({ value: Buffer.alloc(5_000, 0xff) }), [])];
  expect(large.at(-1)).toBe("  … 904 bytes more: --json has all");
  expect([...letterPage(letter({ value: null }), [])].at(-1)).toBe("  null");
});
