import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench } from "./measure.ts";
import { made, newGroup, startAt } from "./throughput.ts";
import { variants } from "./variants.ts";
import type { Workload } from "./workload.ts";

/** What `node --cpu-prof` writes, of it what is used here: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  /** The node that ran at each tick, and the microseconds since the tick before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** The share of the time in which the process was busy that went into functions of these files, and what they called. */
function shareOf({ nodes, samples, timeDeltas }: Profile, files: RegExp): number {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const inside = new Set<number>();
  const enter = (id: number, already: boolean): void => {
    const { callFrame, children = [] } = byId.get(id)!;
    // What a file does as it is loaded is no part of the work.
    const isLoading = callFrame.functionName === "" && callFrame.lineNumber === 0;
    const isInside = already || (files.test(callFrame.url) && !isLoading);
    if (isInside) inside.add(id);
    for (const child of children) enter(child, isInside);
  };
  enter(nodes[0]!.id, false);
  let [busy, found] = [0, 0];
  for (const [at, id] of samples.entries()) {
    if (byId.get(id)!.callFrame.functionName === "(idle)") continue;
    busy += timeDeltas[at]!;
    if (inside.has(id)) found += timeDeltas[at]!;
  }
  return found / busy;
}

/** The share of metrobus's busy time that goes into some of its files, by Node's own profiler: for what is less than two runs differ by. */
export async function profiledShare({ cluster }: Bench, work: Workload, files: RegExp): Promise<number> {
  await cluster.empty(work.outputs);
  const folder = await mkdtemp(join(tmpdir(), "metrobus-bench-"));
  const group = newGroup();
  const options = ["--cpu-prof", "--cpu-prof-dir", folder];
  const peer = startAt(variants.metrobus, cluster, work.topic, group, options);
  await Promise.race([peer.failed, made(variants.metrobus, cluster, work, group, work.messages)]);
  await peer[Symbol.asyncDispose]();
  const [file] = await readdir(folder);
  const profile = JSON.parse(await readFile(join(folder, file!), "utf8")) as Profile;
  await rm(folder, { recursive: true });
  return shareOf(profile, files);
}
