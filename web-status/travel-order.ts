/** What a stop forwards to: name → the names of the stops that come next. */
export type Ways = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * The stops in the order in which messages visit them: a line is followed to its end before the next begins, stops
 * without any connection come last. Where the order is open (several lines, a circle) the name decides.
 */
export function travelOrder(ways: Ways): string[] {
  const names = [...ways.keys()].sort(byName);
  const before = cameFrom(ways, names);
  const isFree = (stop: string) => before.get(stop)!.size === 0;
  const alone = new Set(names.filter((stop) => isFree(stop) && ways.get(stop)!.size === 0));
  const waiting = new Set(names.filter((stop) => !alone.has(stop)));
  /** Nothing that comes before them waits; the last one is the first by name. Some may no longer wait themselves. */
  const free = [...waiting].filter(isFree).reverse();
  const order: string[] = [];
  while (waiting.size > 0) {
    const after = [...(ways.get(order.at(-1) ?? "") ?? [])].filter((stop) => waiting.has(stop)).sort(byName);
    while (free.length > 0 && !waiting.has(free.at(-1)!)) free.pop();
    const next = after.find(isFree) ?? free.pop() ?? after[0] ?? waiting.values().next().value!;
    waiting.delete(next);
    order.push(next);
    for (const to of ways.get(next)!) {
      if (before.get(to)?.delete(next) && isFree(to)) free.splice(free.findLastIndex((each) => each > to) + 1, 0, to);
    }
  }
  return [...order, ...alone];
}

const byName = (a: string, b: string): number => (a < b ? -1 : 1);

/** The other stops that come before each. */
function cameFrom(ways: Ways, names: readonly string[]): Map<string, Set<string>> {
  const before = new Map(names.map((stop) => [stop, new Set<string>()]));
  for (const [stop, next] of ways) for (const to of next) if (to !== stop) before.get(to)?.add(stop);
  return before;
}
