import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import ElkConstructor, { type ELK } from "elkjs/lib/elk-api.js";
import { elkGraph, placedBy } from "./elk-graph.ts";
import type { Placed } from "./placed.ts";
import type { Shape } from "./shape.ts";

/** The thread that lays out, which is there only while there is work: it takes some 80 MB. */
export interface LayoutThread {
  /** One at a time. Rejects when it takes too long, or more memory than it may have. */
  layout(shape: Shape): Promise<Placed>;
  close(): Promise<void>;
}

const IDLE_MS = 5_000;
const MOST_MEMORY_MB = 256;

/** ELK's own thread, as it is: one of ours, in TypeScript, would load what takes the types out besides, which is 15 MB. It is made for browsers. */
const ELK_IN_BROWSERS = createRequire(import.meta.url).resolve("elkjs/lib/elk-worker.min.js");
const AS_IN_BROWSERS = `
  const { parentPort, workerData } = require("node:worker_threads");
  globalThis.self = { postMessage: (answer) => parentPort.postMessage(answer) };
  require(workerData);
  parentPort.on("message", (data) => self.onmessage({ data }));
`;

export function layoutThread(giveUpMs: number): LayoutThread {
  let thread: Thread | undefined;
  let idle: NodeJS.Timeout | undefined;

  async function end(): Promise<void> {
    clearTimeout(idle);
    const ending = thread;
    thread = undefined;
    await ending?.worker.terminate();
  }

  return {
    async layout(shape) {
      clearTimeout(idle);
      try {
        return await answer((thread ??= started()), shape, giveUpMs);
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

interface Thread {
  readonly worker: Worker;
  readonly elk: ELK;
  /** Rejects when it has ended, and why. */
  readonly ended: Promise<never>;
}

/** What ELK needs of a browser's worker. */
interface Port {
  readonly postMessage: Worker["postMessage"];
  onmessage?: (message: { data: unknown }) => void;
}

/** It keeps no process alive, and knows nothing of this one's environment. */
function started(): Thread {
  const worker = new Worker(AS_IN_BROWSERS, {
    eval: true,
    workerData: ELK_IN_BROWSERS,
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: MOST_MEMORY_MB },
  });
  const port: Port = { postMessage: worker.postMessage.bind(worker) };
  worker.on("message", (data) => port.onmessage?.({ data }));
  const { promise: ended, reject } = Promise.withResolvers<never>();
  worker.on("error", reject).on("exit", () => reject(new Error("the thread that lays out the map has ended")));
  ended.catch(() => undefined); // whoever waits for an answer is told
  worker.unref();
  const elk = new ElkConstructor.default({ workerFactory: () => port as never, algorithms: ["layered"] });
  return { worker, elk, ended };
}

async function answer({ elk, ended }: Thread, shape: Shape, giveUpMs: number): Promise<Placed> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no layout within ${giveUpMs} ms`)), giveUpMs).unref();
  try {
    const graph = await Promise.race([elk.layout(elkGraph(shape)), ended, late.promise]);
    return placedBy(graph, shape);
  } finally {
    clearTimeout(timer);
  }
}
