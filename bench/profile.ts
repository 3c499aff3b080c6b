/** What `node --cpu-prof` writes, of it what is used here: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile. */
export interface Profile {
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
export function shareOf({ nodes, samples, timeDeltas }: Profile, files: RegExp): number {
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
