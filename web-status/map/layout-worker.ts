import { parentPort } from "node:worker_threads";
import ElkConstructor from "elkjs/lib/elk.bundled.js";
import { elkGraph, placedBy } from "./elk-graph.ts";
import type { Shape } from "./shape.ts";

/** A thread that lays out one shape after the other, each message an answer; an error ends it. */

const elk = new ElkConstructor.default();

async function answer(shape: Shape): Promise<void> {
  const graph = await elk.layout(elkGraph(shape));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort!.postMessage(placedBy(graph, shape));
}

parentPort!.on("message", (shape: Shape) => void answer(shape));
