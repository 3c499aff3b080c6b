import type { Bus, Received } from "../bus.ts";
import { UnknownTopic } from "../errors.ts";
import type { Span } from "./cursor.ts";
import { span, spansOf } from "./scan.ts";

/** What somebody makes of a topic's records. */
export interface Follower {
  take(record: Received): void;
  /** Retention has removed what lay from `low` up to `end`. Default: `forget`, and all is read anew. */
  gone?(removed: Span): void;
  /** The topic is another one than before. */
  forget(): void;
}

export interface Following {
  /**
   * Reads what is new. Whoever asks while somebody waits for it already gets the same; what was written before it was
   * asked for is read when it resolves. A topic that does not exist has nothing in it. Rejects as `Bus.read` does, and
   * with the signal's reason; the next one goes on from there.
   */
  refresh(): Promise<void>;
  /** Positions that are read, of those that there were when it was last asked. */
  progress(): Progress;
}

export interface Progress {
  readonly read: number;
  readonly total: number;
}

interface Lane extends Span {
  /** The next position to be read. */
  next: bigint;
}

/** Reads a topic on and on, each record once. */
export function follow(bus: Bus, topic: string, follower: Follower, signal?: AbortSignal): Following {
  let lanes: readonly Lane[] = [];
  let last: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | null = null;

  async function readOn(): Promise<void> {
    waiting = null;
    lanes = went(await spansOrNone(bus, topic));
    for (const lane of lanes) {
      for await (const record of span(bus, topic, { ...lane, low: lane.next })) {
        signal?.throwIfAborted();
        follower.take(record);
        lane.next = BigInt(record.position) + 1n;
      }
      lane.next = lane.end;
    }
  }

  /** The lanes as they are now, with how far they are read. */
  function went(spans: readonly Span[]): readonly Lane[] {
    const now = new Map(spans.map((each) => [each.lane, each]));
    const isAnother = ({ lane, low, next }: Lane) => {
      const there = now.get(lane);
      return !there || there.end < next || there.low < low || (!follower.gone && there.low > low);
    };
    if (lanes.some(isAnother)) {
      follower.forget();
      lanes = [];
    }
    const before = new Map(lanes.map((lane) => [lane.lane, lane]));
    return spans.map(({ lane, low, end }) => {
      const { low: was, next } = before.get(lane) ?? { low, next: low };
      if (low > was) follower.gone?.({ lane, low: was, end: low < next ? low : next });
      return { lane, low, end, next: next > low ? next : low };
    });
  }

  return {
    refresh: () => (waiting ??= last = last.catch(() => undefined).then(readOn)),
    progress: () => ({
      read: lanes.reduce((sum, { low, next }) => sum + Number(next - low), 0),
      total: lanes.reduce((sum, { low, end }) => sum + Number(end - low), 0),
    }),
  };
}

async function spansOrNone(bus: Bus, topic: string): Promise<readonly Span[]> {
  try {
    return await spansOf(bus, topic, topic);
  } catch (error) {
    if (error instanceof UnknownTopic) return [];
    throw error;
  }
}
