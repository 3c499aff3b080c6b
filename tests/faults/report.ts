import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Verdict } from "./trial.ts";

export interface Result {
  readonly subject: string;
  readonly faults: readonly string[];
  /** null: the books could not be made. */
  readonly verdict: Verdict | null;
}

const PAGE = join(import.meta.dirname, "../../docs/guarantees.md");
const [BEGIN, END] = ["<!-- faults: written by npm run faults -- --write -->", "<!-- end of faults -->"];

type Cells = ReadonlyMap<string, string>;
/** Fault → subject → what is told of it. */
type Table = ReadonlyMap<string, Cells>;

const FAULT = "fault";

/** A row a fault, a column a subject: lost · twice · out of order · stuck partitions. */
export const table = (results: readonly Result[]): string => text(tableOf(results));

function tableOf(results: readonly Result[]): Table {
  const rows = Map.groupBy(results, ({ faults }) => (faults.length === 1 ? faults[0]! : "random sequences of three"));
  return new Map(
    [...rows].map(([fault, found]) => {
      const bySubject = Map.groupBy(found, ({ subject }) => subject);
      return [fault, new Map([...bySubject].map(([subject, some]) => [subject, cell(some)]))];
    }),
  );
}

function text(rows: Table): string {
  const subjects = [...new Set([...rows.values()].flatMap((cells) => [...cells.keys()]))];
  const lines = [
    [FAULT, ...subjects],
    ["---", ...subjects.map(() => "---")],
    ...[...rows].map(([fault, cells]) => [fault, ...subjects.map((subject) => cells.get(subject) ?? "")]),
  ];
  return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
}

function cell(results: readonly Result[]): string {
  const verdicts = results.flatMap(({ verdict }) => (verdict ? [verdict] : []));
  if (verdicts.length < results.length) return "no books";
  const sum = (of: (verdict: Verdict) => number) => verdicts.reduce((total, verdict) => total + of(verdict), 0);
  const disordered = verdicts.some((verdict) => verdict.disordered === null)
    ? "–"
    : sum((verdict) => verdict.disordered ?? 0);
  const numbers = [sum(({ lost }) => lost), sum(({ twice }) => twice), disordered, sum(({ stuck }) => stuck)];
  return numbers.join(" · ");
}

/** The table of a page, as `text` has written it. */
function read(page: string): Table {
  const lines = page.split("\n").filter((line) => line.startsWith("| "));
  const [head, , ...rows] = lines.map((line) => line.slice(2, -2).split(" | "));
  const subjects = head?.slice(1) ?? [];
  return new Map(
    rows.map(([fault, ...cells]) => [
      fault!,
      new Map(cells.flatMap((each, at) => (each.trim() ? [[subjects[at]!, each] as const] : []))),
    ]),
  );
}

/** Puts what was found into docs/guarantees.md, in the place of what was found there before of the same fault and subject. */
export async function write(results: readonly Result[]): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  const [before, rest] = page.split(BEGIN) as [string, string];
  const [old, after] = rest.split(END) as [string, string];
  const rows = new Map(read(old));
  for (const [fault, cells] of tableOf(results)) rows.set(fault, new Map([...(rows.get(fault) ?? []), ...cells]));
  await writeFile(PAGE, `${before}${BEGIN}\n\n${text(rows)}\n\n${END}${after}`);
}
