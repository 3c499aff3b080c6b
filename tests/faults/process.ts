import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { waitFor } from "./patience.ts";

/** How to start a stop's process, and how to signal it: one in a container is not signalled by its child process's id. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: (signal: NodeJS.Signals) => Promise<unknown>;
}

export interface LogLine {
  readonly level: number;
  readonly msg: string;
}

/** A process with one stop. On stdout it says what it takes; its log is on stderr. */
export interface StopProcess {
  readonly topic: string;
  /** Which process of the line this is, for messages: `B #3`. */
  readonly name: string;
  /** `<partition> <offset>` of each message it has taken, in that order. */
  readonly taken: readonly string[];
  readonly log: readonly LogLine[];
  /** Whether it has told that it stands at its step (see fixtures/at-step.ts). */
  readonly atStep: boolean;
  readonly running: boolean;
  /** Its exit code, or the signal that ended it; pending while it runs. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Somebody wanted it to end. */
  readonly wanted: boolean;
  /** Waits until it has taken so many messages more. */
  progress(messages: number, seconds?: number): Promise<void>;
  signal(signal: "SIGSTOP" | "SIGCONT"): Promise<void>;
  /** Resolves with the exit code, or the signal that ended it. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<number | NodeJS.Signals>;
  health(path: "/healthz" | "/readyz"): Promise<{ status: number; text: string }>;
  /** Its state and last log lines, for messages. */
  describe(): string;
}

/** A folder where the whole log of each process is kept, for who looks for the cause of something. */
const LOGS = process.env["FAULT_LOGS"];
if (LOGS) mkdirSync(LOGS, { recursive: true });

/** All that any test has started and that has not ended. */
const started = new Set<() => unknown>();

export function startProcess(topic: string, name: string, program: Program): StopProcess {
  const env = { ...process.env, ...program.env };
  const child = spawn(program.command, program.args, { env, stdio: ["ignore", "pipe", "pipe", "ipc"] });
  // Whoever loads fixtures/at-step.ts ends with us, also when we are killed.
  child.channel?.unref();
  const send = program.signal ?? ((signal) => child.kill(signal));
  const taken: string[] = [];
  const log: LogLine[] = [];
  let atStep = false;
  let wanted = false;
  createInterface({ input: child.stdout! }).on("line", (line) => {
    // It may stand behind a line that had no room in the pipe to its end.
    if (line.includes("step ")) atStep = true;
    else taken.push(line);
  });
  createInterface({ input: child.stderr! }).on("line", (line) => {
    if (log.push(parse(line)) > 5_000) log.splice(0, 1_000);
  });
  if (LOGS) child.stderr!.pipe(createWriteStream(join(LOGS, `${topic} ${name.replace(/.*#/, "")}.log`)));
  const ended = ending(child);
  const kill = () => send("SIGKILL");
  started.add(kill);
  void ended.then(() => started.delete(kill));
  const running = () => child.exitCode === null && child.signalCode === null;
  const state = () => (running() ? "running" : `ended (${child.signalCode ?? child.exitCode})`);
  const last = () => log.slice(-8).map(({ msg }) => `    ${msg}`);
  const describe = () => [`${name}: ${state()}, has taken ${taken.length}; last lines:`, ...last()].join("\n");
  const address = () => log.map((entry) => (entry as { health?: string }).health).find(Boolean);
  return {
    topic,
    name,
    taken,
    log,
    get atStep() {
      return atStep;
    },
    get running() {
      return running();
    },
    get wanted() {
      return wanted;
    },
    ended,
    describe,
    async progress(messages, seconds = 60) {
      const goal = taken.length + messages;
      const missing = () => `${messages} messages to be taken by ${describe()}`;
      await waitFor(() => taken.length >= goal, seconds, missing);
    },
    signal: async (signal) => void (await send(signal)),
    async end(signal) {
      wanted = true;
      await send(signal);
      const timer = setTimeout(kill, 60_000);
      return await ended.finally(() => clearTimeout(timer));
    },
    async health(path) {
      await waitFor(
        () => address() !== undefined,
        60,
        () => `the health endpoint of ${describe()}`,
      );
      const answer = await fetch(`${address()}${path}`);
      return { status: answer.status, text: await answer.text() };
    },
  };
}

/** For a test's end, whatever came of it. */
export async function killAll(): Promise<void> {
  await Promise.all([...started].map((kill) => kill()));
}

function ending(child: ChildProcess): Promise<number | NodeJS.Signals> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(signal ?? code!));
  });
}

function parse(line: string): LogLine {
  try {
    const entry = JSON.parse(line) as Partial<LogLine>;
    return { ...entry, level: entry.level ?? 0, msg: entry.msg ?? line };
  } catch {
    return { level: 0, msg: line };
  }
}
