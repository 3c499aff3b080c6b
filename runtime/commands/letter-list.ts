import type { Letter } from "../index.ts";
import { jsonBytes, printable, printableBytes } from "./printable.ts";

/** Letters as lines: a table for people. */

interface Column {
  readonly title: string;
  readonly text: (letter: Letter) => string;
  /** May be cut, where the terminal is narrow. */
  readonly yields?: true;
}

const COLUMNS: readonly Column[] = [
  { title: "LETTER", text: ({ id }) => id },
  { title: "FAILED AT", text: ({ time }) => isoTime(time) },
  { title: "STATE", text: ({ state }) => state },
  { title: "STOP", text: ({ stop }) => printable(stop) || "?", yields: true },
  { title: "REASON", text: ({ reason }) => printable(reason) || "?", yields: true },
  { title: "KEY", text: ({ key }) => printableBytes(key), yields: true },
  { title: "ERROR", text: whatWasSaid },
];

/** Of the terminal's width, for a column that yields. */
const SHARE = 1 / 7;
const GAP = "  ";

/** The lines of a table; `width` is the terminal's, null: nothing is cut. Columns are as wide as the first letters need. */
export function letterTable(first: readonly Letter[], width: number | null) {
  const most = width === null ? Number.POSITIVE_INFINITY : Math.floor(width * SHARE);
  const widths = COLUMNS.map(({ title, text, yields }) => {
    const needed = first.reduce((longest, letter) => Math.max(longest, text(letter).length), title.length);
    return yields ? Math.min(needed, Math.max(most, title.length)) : needed;
  });
  const line = (cells: readonly string[]) => {
    const padded = cells.map((cell, at) =>
      (COLUMNS[at]!.yields ? cut(cell, width && widths[at]!) : cell).padEnd(widths[at]!),
    );
    return cut(padded.join(GAP).trimEnd(), width);
  };
  return {
    head: line(COLUMNS.map(({ title }) => title)),
    line: (letter: Letter) => line(COLUMNS.map(({ text }) => text(letter))),
  };
}

const cut = (text: string, width: number | null) =>
  width === null || text.length <= width ? text : `${text.slice(0, width - 1)}…`;

export const isoTime = (time: number): string => {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "?" : date.toISOString().replace("T", " ").slice(0, 19);
};

function whatWasSaid({ error, message, replayOf }: Letter): string {
  const said = printable([error, message].filter(Boolean).join(": "));
  return replayOf ? `(replay ${replayOf.count}, of ${printable(replayOf.letter)}) ${said}` : said;
}

/** What a program gets in a line of JSON. */
export function letterJson(letter: Letter): object {
  const { id, state, time, stop, from, reason, error, message, attempts, replayOf, messageId, key } = letter;
  const failed = new Date(time);
  return {
    id,
    state,
    time: Number.isNaN(failed.getTime()) ? null : failed.toISOString(),
    stop,
    from,
    reason,
    error,
    message,
    attempts,
    replayOf,
    messageId,
    key: jsonBytes(key),
  };
}
