import type { Bus, Received } from "../bus.ts";
import { cursorText, type Span } from "./cursor.ts";
import { span } from "./scan.ts";

export interface Looking<T> {
  readonly bus: Bus;
  readonly topic: string;
  readonly spans: readonly Span[];
  /** How many are wanted. */
  readonly limit: number;
  /** What is made of a record; null: it does not fit. */
  readonly read: (record: Received) => T | null;
}

export interface Looked<T> {
  /** Newest first, as far as each lane has its records in that order. */
  readonly found: readonly T[];
  /** Where to go on; null: there is nothing older. */
  readonly more: { readonly cursor: string } | null;
  /** How many records were looked at, and when the oldest of them was written, epoch ms; null: there was none. */
  readonly looked: number;
  readonly back: number | null;
}

/** One call looks at so many positions, and in each lane at one window more. */
const MOST_LOOKED = 20_000;
const LONGEST_WINDOW = 10_000;
const SHORTEST_WINDOW = 16;

interface Item<T> {
  readonly position: bigint;
  readonly timestamp: number;
  readonly made: T | null;
}

/** A lane that is read from its end on. */
interface Lane<T> {
  readonly span: Span;
  /** What has been read in and not been looked at yet, oldest first. */
  items: Item<T>[];
  /** From here on all has been looked at, and read in. */
  at: bigint;
  from: bigint;
  window: number;
}

/** The newest records that fit. It reads back only as far as it has to, and remembers no more records than are wanted of each lane. */
export async function newestFirst<T>({ bus, topic, spans, limit, read }: Looking<T>): Promise<Looked<T>> {
  const found: T[] = [];
  let [looked, left] = [0, MOST_LOOKED];
  let back: number | null = null;
  const window = Math.min(LONGEST_WINDOW, Math.max(SHORTEST_WINDOW, limit));
  const lanes = spans.map((each): Lane<T> => ({ span: each, items: [], at: each.end, from: each.end, window }));

  /** Of a window that is read forwards more than are wanted can't be the newest. */
  async function readIn(lane: Lane<T>): Promise<void> {
    const { low } = lane.span;
    while (lane.items.length === 0 && lane.from > low && left > 0) {
      const end = lane.from;
      lane.from = end - low > lane.window ? end - BigInt(lane.window) : low;
      lane.window = Math.min(LONGEST_WINDOW, lane.window * 4);
      const fitting: number[] = [];
      for await (const record of span(bus, topic, { ...lane.span, low: lane.from, end })) {
        const { position, timestamp } = record;
        const made = read(record);
        lane.items.push({ position: BigInt(position), timestamp, made });
        if (made === null || fitting.push(lane.items.length - 1) <= limit - found.length) continue;
        const tooOld = fitting.shift()!;
        lane.items[tooOld] = { ...lane.items[tooOld]!, made: null };
      }
      if (lane.items.length === 0) lookedDownTo(lane, lane.from);
    }
  }

  function lookedDownTo(lane: Lane<T>, position: bigint): void {
    left -= Number(lane.at - position);
    lane.at = position;
  }

  await Promise.all(lanes.map(readIn));
  while (found.length < limit && left > 0) {
    const lane = newestOf(lanes);
    const item = lane?.items.pop();
    if (!lane || !item) break;
    lookedDownTo(lane, item.position);
    looked++;
    back = Math.min(back ?? item.timestamp, item.timestamp);
    if (item.made !== null) found.push(item.made);
    if (lane.items.length === 0) await readIn(lane);
  }
  const places = lanes.map(({ span: { lane }, at }) => ({ lane, end: at }));
  const more = lanes.some(({ span: { low }, at }) => at > low) ? { cursor: cursorText(places) } : null;
  return { found, more, looked, back };
}

/** The lane whose next record is the newest. */
function newestOf<T>(lanes: readonly Lane<T>[]): Lane<T> | undefined {
  let newest: Lane<T> | undefined;
  for (const lane of lanes) {
    const head = lane.items.at(-1);
    if (head && (!newest || head.timestamp > newest.items.at(-1)!.timestamp)) newest = lane;
  }
  return newest;
}
