import { createInterface } from "node:readline";
import type { Callback } from "./callbacks.ts";

/** What a peer is started with: where the servers are, what to read, and as which consumer group. */
export interface PeerSetting {
  readonly brokers: string;
  readonly redis: string;
  readonly topic: string;
  readonly group: string;
  /** Of metrobus: settings beside those that say where the servers are, and the stop's options. */
  readonly env?: Readonly<Record<string, string>>;
  readonly callback?: Callback;
  readonly concurrency?: number;
  readonly withSchema?: boolean;
  /** Whether the process has an OpenTelemetry SDK, which makes spans and sends them nowhere. */
  readonly withSpans?: boolean;
  /** How many stops, of topics `<topic>-0`, `<topic>-1` …; without it one, of the topic itself. */
  readonly stops?: number;
}

export interface Usage {
  /** Since everything was loaded and `answer` was called. */
  readonly cpuSeconds: number;
  /** The most that it ever was. */
  readonly memoryMB: number;
}

export const setting = JSON.parse(process.argv[2]!) as PeerSetting;

/** A line with what this process has used until now for each line that the bench writes, until it hangs up. */
export function answer(): void {
  const begun = process.cpuUsage();
  const questions = createInterface({ input: process.stdin });
  questions.on("line", () => {
    const { user, system } = process.cpuUsage(begun);
    const memoryMB = process.resourceUsage().maxRSS / 1024;
    console.log(JSON.stringify({ cpuSeconds: (user + system) / 1e6, memoryMB } satisfies Usage));
  });
  questions.once("close", () => process.exit());
}
