import type { LaneState } from "./bus.ts";

/** So long a lane may stand still, with records waiting and nothing under way. */
const STUCK_AFTER_MS = 55_000;
/** From here on the bus is asked; it is away when it does not answer soon. */
const ASK_AFTER_MS = 10_000;
const ANSWER_WITHIN_MS = 5_000;

export interface Watched {
  lanes(): readonly LaneState[];
  /** Whether something of the lane is being worked on, waits in a backoff, or is being settled. */
  busy(lane: string): boolean;
  /** Asks the bus anything. */
  ask(): Promise<unknown>;
}

/**
 * Finds the lanes that the client lets lie: for 55 s records wait, nothing moves and nothing of the lane is under
 * way, although the bus answers. While it does not, waiting is all that can be done, and the time begins anew.
 */
export function progressWatch({ lanes, busy, ask }: Watched, now: () => number = () => performance.now()) {
  const standing = new Map<string, { position: bigint; since: number }>();
  let stuck: readonly string[] = [];
  let looking = false;

  /** The lanes that have stood still for longer. */
  const longer = (ms: number) => [...standing].filter(([, { since }]) => now() - since > ms).map(([lane]) => lane);

  function mark(): void {
    const waiting = new Map(lanes().map((state) => [state.lane, state]));
    for (const lane of standing.keys()) if (!waiting.has(lane)) standing.delete(lane);
    for (const { lane, position, end } of waiting.values()) {
      if (position >= end || busy(lane)) standing.delete(lane);
      else if (standing.get(lane)?.position !== position) standing.set(lane, { position, since: now() });
    }
  }

  async function answers(): Promise<boolean> {
    const asked = now();
    return ask().then(
      () => now() - asked < ANSWER_WITHIN_MS,
      () => false,
    );
  }

  return {
    /** To be called about once a second. Never rejects. */
    async look(): Promise<void> {
      if (looking) return;
      looking = true;
      mark();
      if (longer(ASK_AFTER_MS).length > 0 && !(await answers())) standing.clear();
      stuck = longer(STUCK_AFTER_MS);
      looking = false;
    },
    /** The lanes found stuck by the last look. */
    stuck: () => stuck,
  };
}
