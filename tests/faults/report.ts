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

/** A row a fault, a column a subject: lost · twice · out of order · stuck partitions. */
export function table(results: readonly Result[]): string {
  const subjects = [...new Set(results.map(({ subject }) => subject))];
  const rows = Map.groupBy(results, ({ faults }) => (faults.length === 1 ? faults[0]! : "random sequences of three"));
  const lines = [...rows].map(([fault, found]) => {
    const cells = subjects.map((name) => cell(found.filter(({ subject }) => subject === name)));
    return `| ${[fault, ...cells].join(" | ")} |`;
  });
  const head = ["fault", ...subjects];
  return [`| ${head.join(" | ")} |`, `| ${head.map(() => "---").join(" | ")} |`, ...lines].join("\n");
}

function cell(results: readonly Result[]): string {
  if (results.length === 0) return "";
  const verdicts = results.flatMap(({ verdict }) => (verdict ? [verdict] : []));
  if (verdicts.length < results.length) return "no books";
  const sum = (of: (verdict: Verdict) => number) => verdicts.reduce((total, verdict) => total + of(verdict), 0);
  const disordered = verdicts.some((verdict) => verdict.disordered === null)
    ? "–"
    : sum((verdict) => verdict.disordered ?? 0);
  const numbers = [sum(({ lost }) => lost), sum(({ twice }) => twice), disordered, sum(({ stuck }) => stuck)];
  return numbers.join(" · ");
}

function summary(results: readonly Result[]): string {
  const messages = results.reduce((total, { verdict }) => total + (verdict?.sent ?? 0), 0);
  return `${results.length} trials with ${messages.toLocaleString("en")} messages in all.`;
}

export async function write(results: readonly Result[]): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  const [before, rest] = page.split(BEGIN) as [string, string];
  const after = rest.split(END)[1]!;
  await writeFile(PAGE, `${before}${BEGIN}\n\n${table(results)}\n\n${summary(results)}\n\n${END}${after}`);
}
