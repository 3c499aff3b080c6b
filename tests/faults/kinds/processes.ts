import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Fault } from "../faults.ts";
import type { Line } from "../line.ts";
import { waitFor } from "../patience.ts";
import type { StopProcess } from "../process.ts";

const FAKETIME = ["x86_64", "aarch64"]
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find(existsSync);
const ATTEMPTS = 10;

export const processes: Record<string, Fault> = {
  SIGKILL: { run: (line) => endedInFlight(line, "SIGKILL"), peers: true },
  SIGTERM: { run: (line) => endedInFlight(line, "SIGTERM"), peers: true },
  "SIGSTOP beyond the session time-out": { run: frozen, peers: true },
  "instances join and leave": { run: comeAndGo, peers: true },
  "the clock of a process jumps": {
    run: clockJumps,
    missing: () => (FAKETIME ? null : "no libfaketime: install the package libfaketime"),
  },
};

/** Ends processes until one had taken messages that it had not committed; another takes its place each time. */
async function endedInFlight(line: Line, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const victim = line.pick();
    await victim.progress(line.upTo(100));
    const code = await victim.end(signal);
    line.hit();
    if (signal === "SIGKILL") line.killed();
    const inFlight = signal === "SIGTERM" || (await hadWorkInFlight(line, victim));
    await line.start(victim.topic).progress(1);
    if (signal === "SIGTERM" && line.subject.delivery && code !== 0)
      throw new Error(`SIGTERM ended with ${code}: ${victim.describe()}`);
    if (inFlight || !line.subject.delivery) return;
    if (attempt >= ATTEMPTS) throw new Error(`${ATTEMPTS} times SIGKILL, and never with messages in flight`);
  }
}

/** Its partitions are nobody's until its session is over, so what is committed now is what it had committed. */
export async function hadWorkInFlight({ metro }: Line, { topic, taken }: StopProcess): Promise<boolean> {
  const committed = new Map((await metro.state(topic)).map(({ lane, position }) => [lane, Number(position)]));
  return taken.slice(-10_000).some((place) => {
    const [lane, offset] = place.split(" ") as [string, string];
    return Number(offset) >= committed.get(lane)!;
  });
}

async function frozen(line: Line): Promise<void> {
  const victim = line.pick();
  await victim.progress(line.upTo(100));
  await victim.signal("SIGSTOP");
  line.hit();
  await thaw(line, victim);
}

/** Wakes a frozen process once others have done what it had, and waits until it works again. */
export async function thaw(line: Line, victim: StopProcess): Promise<void> {
  try {
    const { topic } = victim;
    const ends = new Map((await line.metro.state(topic)).map(({ lane, end }) => [lane, end]));
    const behind = () => line.watch.lanes(topic).filter(({ lane, position }) => position < ends.get(lane)!);
    const missing = () => `others to take over from ${victim.describe()}\n${line.watch.describe()}`;
    await waitFor(() => behind().length === 0, 90, missing);
  } finally {
    await victim.signal("SIGCONT");
  }
}

async function comeAndGo(line: Line): Promise<void> {
  for (let times = 0; times < 2; times++) {
    const { topic } = line.pick();
    const guests = [line.start(topic), line.start(topic)];
    await Promise.all(guests.map((guest) => guest.progress(20)));
    for (const guest of guests) {
      line.hit();
      const code = await guest.end("SIGTERM");
      if (code !== 0 && line.subject.delivery) throw new Error(`leaving ended with ${code}: ${guest.describe()}`);
    }
  }
}

async function clockJumps(line: Line): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "metrobus-clock-"));
  const clock = join(folder, "clock");
  await writeFile(clock, "+0");
  const env = {
    LD_PRELOAD: FAKETIME!,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_CACHE_DURATION: "1",
    // Timers go by the monotonic clock, which does not jump.
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    DONT_FAKE_MONOTONIC: "1",
  };
  const topic = line.pick().topic;
  const guest = line.start(topic, env);
  await guest.progress(20);
  for (const jump of ["+3600", "-3600"]) {
    await writeFile(clock, jump);
    line.hit();
    await guest.progress(Math.max(20, 3 * line.perSecond), 90);
  }
  await guest.end("SIGTERM");
  await rm(folder, { recursive: true });
  const told = (guest.log.at(-1) as { time?: number } | undefined)?.time ?? Infinity;
  if (told > Date.now() - 3_000_000) throw new Error(`its clock did not jump: ${guest.describe()}`);
}
