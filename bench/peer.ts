import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { PeerSetting, Usage } from "./peers/answer.ts";
import { classpath } from "./streams.ts";
import type { Variant } from "./variants.ts";

export interface Peer extends AsyncDisposable {
  /** What its process has used until now. */
  usage(): Promise<Usage>;
  /** Rejects when it ends. */
  readonly failed: Promise<never>;
}

/** Users install JavaScript: what Node takes to strip types, 30 MB and 100 ms of each process, is taken once, by the first. */
export const peerEnvironment = {
  ...process.env,
  NODE_COMPILE_CACHE: join(import.meta.dirname, "../node_modules/.cache/metrobus-bench"),
};

/** One of peers/ as a process of its own. */
export function startPeer(variant: Variant, setting: PeerSetting, nodeOptions: readonly string[] = []): Peer {
  const [program, args] = commandOf(variant, JSON.stringify({ ...setting, ...variant.setting }), nodeOptions);
  const child = spawn(program, args, { stdio: "pipe", env: peerEnvironment });
  const ended = once(child, "close");
  let said = "";
  child.stderr.on("data", (text: Buffer) => (said = (said + String(text)).slice(-4_000)));
  const failed = ended.then(([code, signal]): never => {
    throw new Error(`bench/peers/${variant.file} ended (${code ?? signal}): ${said}`);
  });
  failed.catch(() => undefined);
  // One that ends by itself is told of by `failed`.
  child.stdin.on("error", () => undefined);
  const answers = createInterface({ input: child.stdout });
  return {
    failed,
    async usage() {
      child.stdin.write("usage\n");
      const [line] = (await Promise.race([once(answers, "line"), failed])) as [string];
      return JSON.parse(line) as Usage;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}

function commandOf({ file, java }: Variant, setting: string, nodeOptions: readonly string[]): [string, string[]] {
  if (java) return ["java", [...java.options, "-cp", classpath, "Streams", setting, java.guarantee]];
  return [process.execPath, [...nodeOptions, join(import.meta.dirname, "peers", file), setting]];
}
