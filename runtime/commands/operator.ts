import { createInterface } from "node:readline/promises";
import { text } from "node:stream/consumers";
import { Writable } from "node:stream";
import type { Command } from "commander";
import { ConfigError } from "../errors.ts";
import { hashPassword } from "../index.ts";
import { isOperatorName } from "../operator-hash.ts";

export function operatorCommand(program: Command): void {
  program
    .command("operator <name>")
    .summary("make an operator's entry in WEB_OPERATORS")
    .description(
      "Asks for a password and prints name:hash, which goes into WEB_OPERATORS (several with commas between): with it the operator logs in on the status page. Without a terminal the password is what stdin holds.",
    )
    .action(async (name: string) => {
      if (!isOperatorName(name))
        throw new ConfigError([
          `${JSON.stringify(name)} can't be an operator's name: give at most 64 of A-Z, a-z, 0-9, '.', '_', '@' and '-', a letter or digit first`,
        ]);
      console.log(`${name}:${await hashPassword(await newPassword())}`);
    });
}

const newPassword = async (): Promise<string> => (process.stdin.isTTY ? typed() : oneLine(await text(process.stdin)));

function oneLine(piped: string): string {
  const line = piped.replace(/\r?\n$/, "");
  if (/[\r\n]/.test(line)) throw new ConfigError(["stdin has several lines: give the password alone, on one"]);
  return line;
}

/** Asks twice, and shows nowhere what is typed. Ctrl-C and Ctrl-D end it, as an error. */
async function typed(): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  const ask = (question: string) => {
    process.stderr.write(question);
    return terminal.question("").finally(() => process.stderr.write("\n"));
  };
  try {
    const password = await ask("Password: ");
    if ((await ask("Once more: ")) !== password) throw new ConfigError(["the two passwords differ: try again"]);
    return password;
  } catch (error) {
    const hasLeft = (error as Error).name === "AbortError";
    throw hasLeft ? new ConfigError(["no password was given, and nothing is printed: try again"]) : error;
  } finally {
    terminal.close();
  }
}
