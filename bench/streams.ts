import { spawnSync } from "node:child_process";
import { join } from "node:path";

const folder = join(import.meta.dirname, "peers/streams");
const GOALS = ["compile", "dependency:copy-dependencies", "-DincludeScope=runtime"];

export const classpath = `${join(folder, "target/classes")}:${join(folder, "target/dependency/*")}`;

/** Builds peers/streams with Maven; returns why that could not be done, or null. */
export function buildStreams(): string | null {
  const { error, status, stdout } = spawnSync("mvn", ["--quiet", "--batch-mode", ...GOALS], { cwd: folder });
  if (error) return "Maven (mvn) and a JDK from 17 on are not there";
  if (status === 0) return null;
  return `mvn in bench/peers/streams ended with ${status}: ${String(stdout).trim().split("\n").slice(0, 3).join(" ")}`;
}
