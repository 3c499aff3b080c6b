import type { Command } from "commander";
import { loadConfig } from "../config.ts";
import { MetrobusError } from "../errors.ts";
import { untilSignal } from "../index.ts";
import { wholeNumber } from "./numbers.ts";
import { statusLine } from "./status-line.ts";
import { endWithStdout } from "./stdout.ts";

export function genCommand(program: Command): void {
  program
    .command("gen")
    .summary("write the demo's data files")
    .description(
      "Writes emails.dat (333,000 accounts) and whitelist.dat (500,000 addresses) into the folder METROBUS_DATA.",
    )
    .option("--missing", "leave files that are there already as they are")
    .option("--seed <n>", "the same seed gives the same files", wholeNumber, 1)
    .action(async ({ missing, seed }: { missing?: boolean; seed: number }) => {
      endWithStdout();
      const { generate } = await import("../../data-gen/generate.ts");
      const ending = new AbortController();
      void untilSignal().then(() => ending.abort());
      const status = statusLine(process.stderr);
      const written = await generate({
        folder: loadConfig().dataFolder,
        seed,
        missingOnly: missing ?? false,
        signal: ending.signal,
        onProgress: (path, lines) => status.show(`writing ${path}: ${lines.toLocaleString("en")} lines`),
      }).finally(() => status.end());
      if (ending.signal.aborted) throw new MetrobusError("ended before the data files were written");
      console.log(written.length > 0 ? `wrote ${written.join(" and ")}` : "the data files are there already");
    });
}
