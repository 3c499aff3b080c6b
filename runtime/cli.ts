#!/usr/bin/env node
import "./node-version.ts";
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { demoCommand } from "./commands/demo.ts";
import { errorsCommand } from "./commands/errors.ts";
import { genCommand } from "./commands/gen.ts";
import { operatorCommand } from "./commands/operator.ts";
import { pauseCommand, resumeCommand } from "./commands/pause.ts";
import { pushCommand } from "./commands/push.ts";
import { runCommand } from "./commands/run.ts";
import { webCommand } from "./commands/web.ts";
import { loadConfig } from "./config.ts";
import { asError, ConfigError, MetrobusError } from "./errors.ts";

const HELP = `
Examples:
  $ metrobus demo                           the whole pipeline in this process, page on http://localhost:5000
  $ metrobus gen                            write data/emails.dat and data/whitelist.dat
  $ metrobus run stops/log.ts my-stop.ts    several stops in one process
  $ metrobus push --count 5000 --rate 0     5,000 messages to Source, as fast as it goes
  $ metrobus pause Charge                   hold the messages of a stop, until metrobus resume Charge
  $ metrobus errors list --since 2h         what has failed in the last two hours
  $ metrobus operator ann                   ann's entry in WEB_OPERATORS: who may act on the status page
  $ metrobus --settings metrobus.env web     the status page, configured by a file

Settings come from the environment: see docs/configuration.md.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 ended by a second Ctrl-C.
LOG_LEVEL=debug shows where an error comes from.`;

function program(): Command {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const metrobus = new Command("metrobus")
    .description("Smart routing on a dumb bus: each message carries its own route.")
    .version(version)
    .option("--settings <file>", "settings, NAME=value a line; the environment's own come first")
    .addHelpText("after", HELP)
    .exitOverride()
    .hook("preAction", (command) => loadSettings(command.opts<{ settings?: string }>().settings));
  for (const add of [
    demoCommand,
    pushCommand,
    genCommand,
    webCommand,
    runCommand,
    pauseCommand,
    resumeCommand,
    errorsCommand,
    operatorCommand,
  ])
    add(metrobus);
  return metrobus;
}

// Not named --env-file: Node takes that for itself, wherever it stands.
function loadSettings(path: string | undefined): void {
  if (path === undefined) return;
  try {
    process.loadEnvFile(path);
  } catch (error) {
    throw new ConfigError([`--settings ${path} can't be read (${asError(error).message}): correct the path`]);
  }
}

/** Says what went wrong and returns the exit code. The stack is for our faults; a user's mistake has a message. */
function report(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2; // it has spoken for itself
  const error = asError(thrown);
  console.error(error instanceof MetrobusError && !debugging() ? `metrobus: ${error.message}` : error);
  return error instanceof ConfigError ? 2 : 1;
}

function debugging(): boolean {
  try {
    return ["debug", "trace"].includes(loadConfig().logLevel);
  } catch {
    return false;
  }
}

try {
  await program().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
// Whatever was left open must not keep the process.
setTimeout(() => process.exit(), 1_000).unref();
