import type { Command } from "commander";
import { MetrobusError } from "../errors.ts";
import type { DeadLetters, Letter, LetterFilter } from "../index.ts";
import { discardCommand, replayCommand } from "./errors-act.ts";
import { filterOf, filterOptions, stateOption, type FilterFlags } from "./letter-filter.ts";
import { letterJson, letterTable } from "./letter-list.ts";
import { actionLine, letterPage, letterPageJson } from "./letter-page.ts";
import { wholeNumber } from "./numbers.ts";
import { openLetters } from "./open-letters.ts";
import { printableJson } from "./printable.ts";
import { endWithStdout } from "./stdout.ts";

const HELP = `
Examples:
  $ metrobus errors list --since 2h                     the newest 50 of the last two hours
  $ metrobus errors show 2-117                          one of them, whole
  $ metrobus errors replay 2-117 2-118                  these two, to where they failed
  $ metrobus errors replay --reason ETIMEDOUT --rate 50 all that fit, 50 a second
  $ metrobus errors replay 2-117 --from Charge          rewound to a stop of its route, or on to one ahead
  $ metrobus errors replay 2-117 --route AddEmail,Log   with these stops behind it, in the place of those of its route
  $ metrobus errors discard --stop Test --why "test orders"`;

export function errorsCommand(program: Command): void {
  const errors = program
    .command("errors")
    .summary("dead letters: list, show, replay, discard")
    .description(
      "Messages that no retry could help lie in the dead-letter topic. See them, send them again, or discard them.",
    )
    .addHelpText("after", HELP)
    .hook("preAction", endWithStdout);
  listCommand(errors);
  showCommand(errors);
  replayCommand(errors);
  discardCommand(errors);
  auditCommand(errors);
}

function listCommand(errors: Command): void {
  stateOption(filterOptions(errors.command("list")))
    .summary("the newest letters, or those that fit")
    .description("The newest letters that fit, newest first; with --limit 0 all of them, oldest first.")
    .option("--limit <n>", "how many", wholeNumber, 50)
    .option("--json", "a line of JSON each")
    .action(async (flags: FilterFlags & { limit: number; json?: boolean }) => {
      await using opened = await openLetters();
      const filter = filterOf(flags) ?? {};
      const letters = chosen(opened.letters, filter, flags.limit);
      if (flags.json) for await (const letter of letters) await print(printableJson(letterJson(letter)));
      else await table(letters);
    });
}

async function* chosen(letters: DeadLetters, filter: LetterFilter, limit: number): AsyncGenerator<Letter> {
  if (limit === 0) yield* letters.list(filter);
  let before: string | undefined;
  for (let left = limit; left > 0;) {
    const page = await letters.page({ filter, limit: Math.min(left, MOST_OF_A_PAGE), before });
    yield* page.letters;
    if (!page.more) return;
    before = page.more.cursor;
    left -= page.letters.length;
  }
}

const MOST_OF_A_PAGE = 1_000;

/** The first letters say how wide the columns are. */
const PAGE = 50;

async function table(letters: AsyncIterable<Letter>): Promise<void> {
  const width = process.stdout.isTTY ? process.stdout.columns || 80 : null;
  let lines: ReturnType<typeof letterTable> | undefined;
  let page: Letter[] = [];
  const flush = async () => {
    if (!lines) await print((lines = letterTable(page, width)).head);
    for (const letter of page) await print(lines.line(letter));
    page = [];
  };
  for await (const letter of letters) if (page.push(letter) >= PAGE) await flush();
  if (page.length > 0) await flush();
  if (!lines) console.error("no letter fits");
}

function showCommand(errors: Command): void {
  errors
    .command("show")
    .summary("one letter, whole")
    .description("Everything about one letter: why it failed, the message, and what was done with it.")
    .argument("<letter>", "its id, as the list shows it")
    .option("--json", "as JSON")
    .action(async (id: string, { json }: { json?: boolean }) => {
      await using opened = await openLetters();
      const letter = await opened.letters.show(id);
      if (!letter) throw new MetrobusError(`there is no letter ${id}: see metrobus errors list`);
      const history = await Array.fromAsync(opened.letters.audit(id));
      if (json) await print(printableJson(letterPageJson(letter, history)));
      else for (const line of letterPage(letter, history)) await print(line);
    });
}

function auditCommand(errors: Command): void {
  errors
    .command("audit")
    .summary("what was done with letters, by whom")
    .description("All that was ever asked for and done with dead letters, oldest first.")
    .argument("[letter]", "of this letter only")
    .option("--json", "a line of JSON each")
    .action(async (id: string | undefined, { json }: { json?: boolean }) => {
      await using opened = await openLetters();
      for await (const action of opened.letters.audit(id))
        await print(json ? printableJson(action) : actionLine(action));
    });
}

/** Not faster than the reader reads: a million lines are not to wait in memory. */
async function print(line: string): Promise<void> {
  if (process.stdout.write(`${line}\n`)) return;
  await new Promise<void>((resolve) => {
    const go = () => {
      process.stdout.off("drain", go).off("error", go).off("close", go);
      resolve();
    };
    process.stdout.on("drain", go).on("error", go).on("close", go);
  });
}
