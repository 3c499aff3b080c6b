import { execFile } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { promisify } from "node:util";
import { getContainerRuntimeClient } from "testcontainers";

// Its clean-up helper is one more image to pull; every container here is stopped by whoever started it.
process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true";

/** Is there a Docker engine to start containers with? */
export async function hasDocker(): Promise<boolean> {
  try {
    await getContainerRuntimeClient();
    return true;
  } catch {
    return false;
  }
}

/**
 * A port that was free just now. For containers that are restarted or that tell clients their own address: a port
 * mapped by Docker changes with each start.
 */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs the docker program, for what testcontainers has no word for (pause, kill). Resolves with what it printed. */
export async function docker(...args: string[]): Promise<string> {
  return (await promisify(execFile)("docker", args)).stdout.trim();
}
