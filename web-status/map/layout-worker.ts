import { parentPort } from "node:worker_threads";
import ElkConstructor from "elkjs/lib/elk.bundled.js";
import { elkGraph, placedBy } from "./elk-graph.ts";
import type { Shape } from "./shape.ts";

/** A thread that lays out one shape after the other, each message an answer; an error ends it. */

const elk = new ElkConstructor.default();

parentPort!.on("message", (shape: Shape) => {
  void elk.layout(elkGraph(shape)).then((graph) => parentPort!.postMessage(placedBy(graph, shape)));
});
