import type { Command } from "commander";
import { loadConfig } from "../config.ts";
import { ConfigError } from "../errors.ts";
import { openStats, type StatsStore } from "../index.ts";
import { isTopic } from "../route.ts";
import { whoAsks } from "../who-asks.ts";
import { endWithStdout } from "./stdout.ts";

export function pauseCommand(program: Command): void {
  program
    .command("pause <stop>")
    .summary("hold a stop's messages")
    .description(
      "All processes of the stop (its topic) finish what they work on, and hold their messages until somebody resumes it: also those that are started meanwhile.",
    )
    .action((stop: string) =>
      order(stop, (stats) => stats.pause(stop, whoAsks()), "is paused: its processes hear of it within 2 s"),
    );
}

export function resumeCommand(program: Command): void {
  program
    .command("resume <stop>")
    .summary("let a paused stop go on")
    .description("All processes of the stop (its topic) go on, in order.")
    .action((stop: string) =>
      order(stop, (stats) => stats.resume(stop), "is not paused (any more): its processes hear of it within 2 s"),
    );
}

async function order(stop: string, give: (stats: StatsStore) => Promise<void>, done: string): Promise<void> {
  endWithStdout();
  if (!isTopic(stop)) throw new ConfigError([`${JSON.stringify(stop)} is no topic: give the name of the stop's topic`]);
  if (loadConfig().stats === "memory")
    throw new ConfigError([
      "METROBUS_STATS=memory (METROBUS_BUS=memory implies it): stops hear by Redis what they are to do; set METROBUS_STATS=redis here and where they run",
    ]);
  const stats = await openStats();
  try {
    await give(stats);
  } finally {
    await stats.close();
  }
  console.log(`stop ${stop} ${done}`);
}
