import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Fault } from "../faults.ts";
import type { Line } from "../line.ts";
import { waitFor } from "../patience.ts";
import type { StopProcess } from "../process.ts";

/** Debian's package; undefined: this machine has none. */
export const FAKETIME = ["x86_64", "aarch64"]
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find(existsSync);

export const clock: Record<string, Fault> = {
  "the clock of a process jumps": {
    run: clockJumps,
    missing: () => (FAKETIME ? null : "no libfaketime: install the package libfaketime"),
  },
};

/** By more than an hour, as of which Kafka takes no record: nothing is lost for that, and the process says what is wrong. */
async function aheadOfKafka(line: Line, guest: StopProcess, clock: string): Promise<void> {
  await writeFile(clock, "+7200");
  line.hit();
  const told = async () => (await guest.health("/readyz")).text.includes("have not taken the results");
  await waitFor(told, 60, () => `a process to tell that Kafka takes nothing of it: ${guest.describe()}`);
  await writeFile(clock, "-3600");
  await guest.progress(Math.max(20, line.perSecond), 90);
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
  await aheadOfKafka(line, guest, clock);
  await guest.end("SIGTERM");
  await rm(folder, { recursive: true });
  const told = (guest.log.at(-1) as { time?: number } | undefined)?.time ?? Infinity;
  if (told > Date.now() - 3_000_000) throw new Error(`its clock did not jump: ${guest.describe()}`);
}
