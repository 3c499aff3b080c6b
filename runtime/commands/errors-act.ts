import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { asError, ConfigError } from "../errors.ts";
import { untilSignal, type ActionReport, type ActOptions, type DeadLetters, type LetterFilter } from "../index.ts";
import { filterOf, filterOptions, type FilterFlags } from "./letter-filter.ts";
import { openLetters } from "./open-letters.ts";
import { positiveNumber } from "./numbers.ts";
import { printable } from "./printable.ts";
import { statusLine } from "./status-line.ts";

interface ActFlags extends FilterFlags {
  all?: boolean;
  rate: number;
  yes?: boolean;
  by?: string;
}

interface ReplayFlags extends ActFlags {
  from?: string;
  to?: string;
  route?: readonly string[];
  payload?: string;
  edit?: string;
}

export function replayCommand(errors: Command): void {
  actOptions(errors.command("replay").argument("[letters...]", "their ids, as the list shows them"))
    .summary("send letters again")
    .description(
      "Sends letters again, as they were, to where they failed: those that are named, or all that fit and are not handled. Each is acted on once, however many ask.",
    )
    .option("--from <stop>", "go on from this stop of its route: rewound to one it has visited, or on to one ahead")
    .option("--to <topic>", "to this topic instead")
    .option("--route <stops>", 'with these stops behind it, with commas between; "": it ends there', stopsOf)
    .option("--payload <json>", "with another payload; the letter stays as it is")
    .option("--edit <file>", "with the payload in this file")
    .action(async (ids: string[], flags: ReplayFlags) => {
      const { from, to, route } = flags;
      const payload = await payloadOf(flags);
      const where = { ...(from !== undefined && { from }), ...(to !== undefined && { to }), ...(route && { route }) };
      const how = { ...where, ...(payload !== undefined && { payload }) };
      await actOn(ids, flags, "replay", (letters, filter, options) => letters.replay(filter, { ...options, ...how }));
    });
}

export function discardCommand(errors: Command): void {
  actOptions(errors.command("discard").argument("[letters...]", "their ids, as the list shows them"))
    .summary("mark letters as done with")
    .description("Marks letters as done with, for a reason. They stay where they are, and can't be replayed any more.")
    .requiredOption("--why <reason>", "why they are of no use")
    .action(async (ids: string[], flags: ActFlags & { why: string }) => {
      await actOn(ids, flags, "discard", (letters, filter, options) =>
        letters.discard(filter, { ...options, reason: flags.why }),
      );
    });
}

function actOptions(command: Command): Command {
  return filterOptions(command)
    .option("--all", "all that are not handled")
    .option("--rate <n>", "letters per second; 0: as fast as it goes", positiveNumber, 0)
    .option("--yes", "do not ask whether that many are meant")
    .option("--by <who>", "who is named in the audit (default: this user and host)");
}

const stopsOf = (text: string): string[] => (text.trim() ? text.split(",").map((stop) => stop.trim()) : []);

async function payloadOf({ payload, edit }: ReplayFlags): Promise<string | undefined> {
  if (edit === undefined) return payload;
  if (payload !== undefined) throw new ConfigError(["--payload and --edit both give a payload: keep one of the two"]);
  try {
    return await readFile(edit, "utf8");
  } catch (error) {
    throw new ConfigError([`--edit ${edit} can't be read (${asError(error).message}): correct the path`]);
  }
}

type Act = (letters: DeadLetters, filter: LetterFilter, options: ActOptions) => Promise<ActionReport>;

async function actOn(ids: string[], flags: ActFlags, verb: "replay" | "discard", act: Act): Promise<void> {
  const filter = meant(ids, flags);
  const ending = new AbortController();
  void untilSignal().then(() => ending.abort());
  await using opened = await openLetters();
  const { letters } = opened;
  const total = ids.length || (await count(letters, filter));
  if (total === 0) return console.log("no letter fits that is not handled already");
  if (total > 1 && ids.length === 0 && !flags.yes && !(await agreed(`${verb} ${number(total)} letters?`))) return;
  const status = statusLine(process.stderr);
  const report = await act(letters, filter, {
    rate: flags.rate,
    signal: ending.signal,
    ...(flags.by !== undefined && { by: flags.by }),
    onProgress: (now) => status.show(progress(now, total)),
  }).finally(() => status.end());
  // Of those that fit when they were counted some may be handled by now, as somebody before had asked.
  const already = report.already + (ids.length > 0 || ending.signal.aborted ? 0 : unasked(report, total));
  const full = { ...report, already };
  for (const line of summary(full, total, verb)) console.log(line);
  if (report.failed > 0 || unasked(full, total) > 0) process.exitCode = 1;
}

function meant(ids: string[], flags: ActFlags): LetterFilter {
  const filter = filterOf(flags);
  const given = [ids.length > 0, filter !== null, flags.all].filter(Boolean).length;
  if (given !== 1)
    throw new ConfigError([
      "which letters? Name them by their ids, or give a filter such as --stop, or --all; one of the three",
    ]);
  return ids.length > 0 ? { ids } : (filter ?? {});
}

async function count(letters: DeadLetters, filter: LetterFilter): Promise<number> {
  let found = 0;
  for await (const { state } of letters.list(filter)) if (state === "open" || state === "asked") found++;
  return found;
}

/** Where nobody can be asked it is agreed. */
async function agreed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

const unasked = ({ done, already, failed }: ActionReport, total: number): number =>
  Math.max(0, total - done - already - failed);

const BAR = 20;
const number = (count: number) => count.toLocaleString("en");

function progress({ done, already, failed, asked }: ActionReport, total: number): string {
  const answered = Math.min(total, done + already + failed);
  const filled = Math.floor((answered / total) * BAR);
  const bar = "█".repeat(filled) + "░".repeat(BAR - filled);
  const parts = [`${bar} ${Math.floor((answered / total) * 100)} %`, `${number(answered)} of ${number(total)}`];
  if (asked > answered) parts.push(`${number(asked - answered)} under way`);
  if (failed > 0) parts.push(`${number(failed)} failed`);
  return parts.join(" · ");
}

function* summary(report: ActionReport, total: number, verb: string): Generator<string> {
  const { done, already, failed, failures } = report;
  const parts = [`${verb === "replay" ? "replayed" : "discarded"} ${number(done)} of ${number(total)}`];
  if (already > 0) parts.push(`${number(already)} had been handled before`);
  if (failed > 0) parts.push(`${number(failed)} failed`);
  const left = unasked(report, total);
  if (left > 0) parts.push(`${number(left)} not asked for any more`);
  yield parts.join(" · ");
  for (const { letter, why } of failures) yield `  ${letter}: ${printable(why)}`;
  if (failed > failures.length) yield `  … and ${number(failed - failures.length)} more`;
}
