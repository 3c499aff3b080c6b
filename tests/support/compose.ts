import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Is `docker compose` (v2) there? */
export async function hasCompose(): Promise<boolean> {
  try {
    await run("docker", ["compose", "version"]);
    return true;
  } catch {
    return false;
  }
}

/** The repository's compose.yaml as a project of its own name, so that it disturbs no pipeline that runs already. */
export function composeProject(name: string, env: Record<string, string>) {
  const docker = async (args: readonly string[]): Promise<string> => {
    const { stdout } = await run("docker", args, { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 });
    return stdout.trim();
  };
  return {
    name,
    docker,
    compose: (...args: string[]) => docker(["compose", "-p", name, "--progress", "quiet", ...args]),
    /** The ids of a service's containers, ended ones included. */
    ids: async (service: string) =>
      (await docker(["compose", "-p", name, "ps", "--all", "--quiet", service])).split("\n").filter(Boolean),
    inspect: async (id: string) => JSON.parse(await docker(["inspect", id])) as [ContainerState],
  };
}

export interface ContainerState {
  Name: string;
  RestartCount: number;
  State: { Status: string; ExitCode: number; StartedAt: string; FinishedAt: string };
  Config: { User: string };
}
