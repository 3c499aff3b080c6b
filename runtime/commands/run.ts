import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { ConfigError } from "../errors.ts";
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
  const url = pathToFileURL(resolve(file)).href;
  try {
    return (await import(url)) as Record<string, unknown>;
  } catch (error) {
    const { code, url: missing } = error as NodeJS.ErrnoException & { url?: string };
    if (code === "ERR_MODULE_NOT_FOUND" && missing === url)
      throw new ConfigError([`${file} does not exist: correct the path`]);
    throw error;
  }
}
