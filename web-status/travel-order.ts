/** What a stop forwards to: name → the names of the stops that come next. */
export type Ways = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * The stops in the order in which messages visit them: a line is followed to its end before the next begins, stops
 * without any connection come last. Where the order is open (several lines, a circle) the name decides.
 */
export function travelOrder(ways: Ways): string[] {
  const waiting = cameFrom(ways);
  const alone = new Set([...waiting].filter(([stop, from]) => from.size + ways.get(stop)!.size === 0).map(([s]) => s));
  const order: string[] = [];
  while (waiting.size > 0) {
    const next = best(waiting, ways.get(order.at(-1) ?? ""), alone);
    waiting.delete(next);
    for (const after of ways.get(next)!) waiting.get(after)?.delete(next);
    order.push(next);
  }
  return order;
}

/** Of those that wait for the fewest reasons the first. Asked once for each of maybe hundreds of stops: no call for each. */
function best(
  waiting: ReadonlyMap<string, ReadonlySet<string>>,
  after: ReadonlySet<string> | undefined,
  alone: ReadonlySet<string>,
): string {
  let [found, least] = ["", Infinity];
  for (const [stop, from] of waiting) {
    const rank = (from.size > 0 ? 4 : 0) + (after?.has(stop) ? 0 : 2) + (alone.has(stop) ? 1 : 0);
    if (rank < least) [found, least] = [stop, rank];
  }
  return found;
}

/** In order of name: the stops that come before each. */
function cameFrom(ways: Ways): Map<string, Set<string>> {
  const names = [...ways.keys()].sort((a, b) => (a < b ? -1 : 1));
  const from = new Map(names.map((stop) => [stop, new Set<string>()]));
  for (const [stop, next] of ways) for (const to of next) if (to !== stop) from.get(to)?.add(stop);
  return from;
}
