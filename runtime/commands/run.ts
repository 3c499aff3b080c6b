import { stat } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { asError, ConfigError } from "../errors.ts";
import { MetroStop } from "../index.ts";

export function runCommand(program: Command): void {
  program
    .command("run")
    .summary("run stops, several in one process")
    .description("Imports each file and runs every MetroStop that it exports, until SIGTERM or Ctrl-C.")
    .argument("<file...>", "files that export a MetroStop")
    .action(async (files: string[]) => {
      const stops = new Set<MetroStop>();
      for (const file of files) for (const stop of await stopsOf(file)) stops.add(stop);
      await Promise.all([...stops].map((stop) => stop.run()));
    });
}

async function stopsOf(file: string): Promise<MetroStop[]> {
  const exported = Object.values(await importFile(file));
  const stops = exported.filter((value) => value instanceof MetroStop);
  if (stops.length > 0) return stops;
  throw new ConfigError([`${file} exports no MetroStop: add "export const stop = new MetroStop(topic, callback)"`]);
}

async function importFile(file: string): Promise<Record<string, unknown>> {
  const path = resolve(file);
  const found = await stat(path).catch(() => null);
  const folder = isAbsolute(file) ? "" : ` in ${process.cwd()}`;
  if (!found) throw new ConfigError([`${file} does not exist${folder}: correct the path`]);
  if (found.isDirectory()) throw new ConfigError([`${file} is a folder: name the files in it that export a MetroStop`]);
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (thrown) {
    const error = asError(thrown);
    if (!isNodes(error)) throw error;
    throw new ConfigError([
      `${file} can't be imported (${placeOf(error)}${error.message}): correct it, or name a TypeScript or JavaScript file that exports a MetroStop`,
    ]);
  }
}

/** Whether Node itself refuses the file, or one that it imports: for its syntax or extension, or a package that is missing. */
const isNodes = ({ stack }: Error): boolean =>
  /^ {4}at .*$/m.exec(stack ?? "")?.[0].includes("node:internal/modules/") ?? false;

/** `<path>:<line>: ` where a syntax error tells it, before the words of its stack. */
const placeOf = ({ stack = "" }: Error): string => {
  const place = /^(?:file:\/\/)?(\S+:\d+)\n/.exec(stack)?.[1];
  return place ? `${place}: ` : "";
};
