import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Settings } from "metrobus";
import { eventually } from "./probe.ts";

/** A process with one stop (`tests/faults/fixtures`). */
export interface StopProcess {
  readonly topic: string;
  /** `<partition> <offset>` of each message it has taken, with when that was heard of (epoch ms); only `pass-on` tells. */
  readonly taken: { readonly place: string; readonly at: number }[];
  /** What it logged, a JSON object a line. */
  readonly log: { readonly level: number; readonly msg: string }[];
  /** Waits until it has taken so many messages more. */
  progress(messages: number): Promise<unknown>;
  health(path: "/healthz" | "/readyz"): Promise<{ status: number; text: string }>;
  /** Sends a signal and waits for the end; returns the exit code (null: killed). */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null>;
  signal(signal: "SIGSTOP" | "SIGCONT"): void;
  readonly running: boolean;
}

const started = new Set<ChildProcess>();

/** Starts `pass-on` with some ms of work a message, or another fixture. */
export function startStop(topic: string, settings: Settings, workMs = 1, fixture = "pass-on"): StopProcess {
  const env = { ...process.env, LOG_FORMAT: "json", LOG_LEVEL: "info", HEALTH_PORT: "0", ...settings };
  const child = spawn(process.execPath, [`tests/faults/fixtures/${fixture}.ts`, topic, String(workMs)], { env });
  started.add(child);
  const taken: StopProcess["taken"] = [];
  const log: StopProcess["log"] = [];
  createInterface({ input: child.stdout }).on("line", (place) => taken.push({ place, at: Date.now() }));
  createInterface({ input: child.stderr }).on("line", (line) => log.push(parseLog(line)));
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const address = () => log.map((entry) => (entry as { health?: string }).health).find(Boolean);
  return {
    topic,
    taken,
    log,
    progress(messages) {
      const goal = taken.length + messages;
      return eventually(() => taken.length >= goal);
    },
    async health(path) {
      await eventually(() => address() !== undefined);
      const answer = await fetch(`${address()}${path}`);
      return { status: answer.status, text: await answer.text() };
    },
    async end(signal) {
      child.kill(signal);
      return await closed;
    },
    signal: (signal) => void child.kill(signal),
    get running() {
      return child.exitCode === null && child.signalCode === null;
    },
  };
}

/** For a test's end, whatever came of it. */
export function killStops(): void {
  for (const child of started) child.kill("SIGKILL");
  started.clear();
}

/** How often processes took a message that one of them had taken before. */
export function takenAgain(all: readonly StopProcess[]): number {
  const places = all.flatMap(({ topic, taken }) => taken.map(({ place }) => `${topic} ${place}`));
  return places.length - new Set(places).size;
}

function parseLog(line: string): { level: number; msg: string } {
  try {
    return JSON.parse(line) as { level: number; msg: string };
  } catch {
    return { level: 0, msg: line };
  }
}
