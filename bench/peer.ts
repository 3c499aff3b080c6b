import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { PeerSetting, Usage } from "./peers/answer.ts";

export interface Peer extends AsyncDisposable {
  /** What its process has used until now. */
  usage(): Promise<Usage>;
}

/** A file of peers/ as a process of its own. */
export function startPeer(file: string, setting: PeerSetting, nodeOptions: readonly string[] = []): Peer {
  const child = fork(join(import.meta.dirname, "peers", file), [JSON.stringify(setting)], {
    execArgv: [...nodeOptions],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const ended = once(child, "exit");
  let said = "";
  child.stderr!.on("data", (text: Buffer) => (said = (said + String(text)).slice(-4_000)));
  const failed = ended.then(([code, signal]) => {
    throw new Error(`bench/peers/${file} ended (${code ?? signal}): ${said}`);
  });
  failed.catch(() => undefined);
  return {
    async usage() {
      child.send("usage");
      const [usage] = (await Promise.race([once(child, "message"), failed])) as [Usage];
      return usage;
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
