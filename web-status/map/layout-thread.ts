import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { Placed } from "./placed.ts";
import type { Shape } from "./shape.ts";

/** The thread that lays out, which is there only while there is work: it takes some 100 MB. */
export interface LayoutThread {
  /** One at a time. Rejects when it takes too long, or more memory than it may have. */
  layout(shape: Shape): Promise<Placed>;
  close(): Promise<void>;
}

const IDLE_MS = 5_000;
const MOST_MEMORY_MB = 256;
/** It runs as it is in the repository, and built in the package. */
const FILE = new URL(`./layout-worker${extname(import.meta.url)}`, import.meta.url);

export function layoutThread(giveUpMs: number): LayoutThread {
  let worker: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;

  async function end(): Promise<void> {
    clearTimeout(idle);
    const ending = worker;
    worker = undefined;
    await ending?.terminate();
  }

  return {
    async layout(shape) {
      clearTimeout(idle);
      const thread = (worker ??= started());
      try {
        return await answer(thread, shape, giveUpMs);
      } catch (error) {
        await end();
        throw error;
      } finally {
        idle = setTimeout(() => void end(), IDLE_MS).unref();
      }
    },
    close: end,
  };
}

/** It keeps no process alive, and knows nothing of this one's environment. */
function started(): Worker {
  const worker = new Worker(FILE, {
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: MOST_MEMORY_MB },
  });
  worker.on("error", () => undefined); // whoever waits for an answer is told
  worker.unref();
  return worker;
}

async function answer(worker: Worker, shape: Shape, giveUpMs: number): Promise<Placed> {
  const { promise, resolve, reject } = Promise.withResolvers<Placed>();
  const timer = setTimeout(() => reject(new Error(`no layout within ${giveUpMs} ms`)), giveUpMs).unref();
  const exited = () => reject(new Error("the thread that lays out the map has ended"));
  worker.on("message", resolve).on("error", reject).on("exit", exited);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  worker.postMessage(shape);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    worker.off("message", resolve).off("error", reject).off("exit", exited);
  }
}
