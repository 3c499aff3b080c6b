const CENSORED = "[redacted]";

/** What lies below a name; true: it is what the path means. */
type Tree = Map<string, Tree | true>;

/**
 * Makes the function that writes JSON without what the paths name: `email`, `card.number`; `*` is any name, and arrays are gone
 * through without being named. A path that names nothing changes nothing.
 */
export function redactor(paths: readonly string[]): (value: unknown) => string {
  const tree: Tree = new Map();
  for (const path of paths) grow(tree, path.split("."));
  return (value) => JSON.stringify(censored(value, [tree])) ?? "null";
}

function grow(tree: Tree, [name, ...rest]: readonly string[]): void {
  const below = tree.get(name!);
  if (rest.length === 0) tree.set(name!, true);
  else if (below !== true) {
    const grown: Tree = below ?? new Map();
    tree.set(name!, grown);
    grow(grown, rest);
  }
}

function censored(value: unknown, trees: readonly Tree[]): unknown {
  if (trees.length === 0 || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => censored(each, trees));
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [name, below] of Object.entries(value)) {
    const found = trees.flatMap((tree) => [tree.get(name) ?? [], tree.get("*") ?? []].flat());
    copy[name] = found.includes(true) ? CENSORED : censored(below, found as Tree[]);
  }
  return copy;
}
