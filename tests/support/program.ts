import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  /** Both streams, so far. */
  output(): string;
  /** Resolves with the output when it matches; rejects when the program ends before that. */
  printed(pattern: RegExp): Promise<string>;
  readonly ended: Promise<Ended>;
}

/** Runs a program, such as `[process.execPath, "runtime/cli.ts", "gen"]`, in the repository's folder. */
export function start(command: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(command[0]!, command.slice(1), { cwd: root, env: { ...process.env, ...env } });
  let [output, stdout, stderr] = ["", "", ""];
  const waiting = new Set<() => void>();
  const heard = (text: string) => {
    output += text;
    for (const look of waiting) look();
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => ((stdout += text), heard(text)));
  child.stderr.setEncoding("utf8").on("data", (text: string) => ((stderr += text), heard(text)));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
  const printed = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        if (!pattern.test(output)) return;
        waiting.delete(look);
        resolve(output);
      };
      waiting.add(look);
      look();
      void ended.then(() => reject(new Error(`it ended without printing ${String(pattern)}:\n${output}`)), reject);
    });
  return { process: child, output: () => output, printed, ended };
}

/** Runs the program `metrobus` to its end. */
export const metrobus = (args: readonly string[], env?: Record<string, string>): Promise<Ended> =>
  start([process.execPath, "runtime/cli.ts", ...args], env).ended;

/** Whether there is the program `script` of util-linux, which gives a program a terminal: it is on every usual Linux. */
export const hasTerminal = (): boolean => String(spawnSync("script", ["--version"]).stdout).includes("util-linux");
