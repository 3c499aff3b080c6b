/** What a stop forwards to: name → the names of the stops that come next. */
export type Ways = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * The stops in the order in which messages visit them: a line is followed to its end before the next begins, stops
 * without any connection come last. Where the order is open (several lines, a circle) the name decides.
 */
export function travelOrder(ways: Ways): string[] {
  const waiting = new Map(inNameOrder(ways.keys()).map((stop) => [stop, cameFrom(stop, ways)]));
  const alone = new Set([...waiting].filter(([stop, from]) => from.size + ways.get(stop)!.size === 0).map(([s]) => s));
  const order: string[] = [];
  while (waiting.size > 0) {
    const after = ways.get(order.at(-1) ?? "");
    const rank = (stop: string) =>
      [waiting.get(stop)!.size > 0, !after?.has(stop), alone.has(stop)].map(Number).join("");
    const next = [...waiting.keys()].reduce((best, stop) => (rank(stop) < rank(best) ? stop : best));
    waiting.delete(next);
    for (const before of waiting.values()) before.delete(next);
    order.push(next);
  }
  return order;
}

function inNameOrder(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => (a < b ? -1 : 1));
}

function cameFrom(stop: string, ways: Ways): Set<string> {
  return new Set([...ways].filter(([from, to]) => from !== stop && to.has(stop)).map(([from]) => from));
}
