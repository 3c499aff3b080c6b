import type { Command } from "commander";
import { loadConfig } from "../config.ts";
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
      const status = statusLine(process.stderr);
      const written = await generate({
        folder: loadConfig().dataFolder,
        seed,
        missingOnly: missing ?? false,
        onProgress: (path, lines) => status.show(`writing ${path}: ${lines.toLocaleString("en")} lines`),
      }).finally(() => status.end());
      console.log(written.length > 0 ? `wrote ${written.join(" and ")}` : "the data files are there already");
    });
}
