import type { Bus, Received } from "../bus.ts";
import type { Span } from "./cursor.ts";
import { placeOf } from "./letter.ts";

/** Reading whole topics in constant memory. Nothing here keeps more than a few records a lane. */

/** Each lane from its beginning to its end, as they are now; `group` is one that may be asked for. Throws UnknownTopic. */
export async function spansOf(bus: Bus, topic: string, group: string): Promise<readonly Span[]> {
  return await bus.state(group, topic);
}

/** The records of one lane from `low` up to `end`, which later ones do not move. */
export async function* span(bus: Bus, topic: string, { lane, low, end }: Span): AsyncGenerator<Received, void> {
  if (low >= end) return;
  for await (const record of bus.read(topic, lane, low, Number(end - low))) {
    if (BigInt(record.position) >= end) return;
    yield record;
  }
}

/** The records of all lanes, oldest first as far as each lane has them in that order. */
export async function* oldestFirst(bus: Bus, topic: string, spans: readonly Span[]): AsyncGenerator<Received> {
  const lanes = spans.map((each) => span(bus, topic, each));
  const next = async (lane: AsyncGenerator<Received, void>) => (await lane.next()).value ?? null;
  try {
    const heads = await Promise.all(lanes.map(next));
    for (;;) {
      const oldest = oldestOf(heads);
      if (oldest < 0) return;
      yield heads[oldest]!;
      heads[oldest] = await next(lanes[oldest]!);
    }
  } finally {
    await Promise.all(lanes.map((lane) => lane.return()));
  }
}

/** Its index; -1: there is none. */
function oldestOf(heads: readonly (Received | null)[]): number {
  let oldest = -1;
  for (const [at, head] of heads.entries()) {
    if (head && (oldest < 0 || head.timestamp < heads[oldest]!.timestamp)) oldest = at;
  }
  return oldest;
}

/** Up to here it is cheaper to read on than to begin anew. */
const NEAR = 2_000;

/** The records with these ids that are still there, lane by lane in order. */
export async function* byIds(
  bus: Bus,
  topic: string,
  spans: readonly Span[],
  ids: readonly string[],
): AsyncGenerator<Received> {
  const wanted = Map.groupBy(ids.map(placeOf), ({ lane }) => lane);
  for (const { lane, low, end } of spans) {
    const positions = [...new Set(wanted.get(lane)?.map(({ position }) => position))].sort((a, b) => a - b);
    const there = positions.filter((position) => position >= low && position < end);
    for (const near of stretches(there)) {
      const [first, last] = [near[0]!, near.at(-1)!];
      const among = new Set(near);
      for await (const record of span(bus, topic, { lane, low: BigInt(first), end: BigInt(last) + 1n }))
        if (among.has(Number(record.position))) yield record;
    }
  }
}

/** Sorted positions in groups of those that lie near each other. */
function stretches(positions: readonly number[]): number[][] {
  const found: number[][] = [];
  for (const position of positions) {
    const last = found.at(-1)?.at(-1);
    if (last !== undefined && position - last < NEAR) found.at(-1)!.push(position);
    else found.push([position]);
  }
  return found;
}
