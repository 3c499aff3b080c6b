import type { Logger } from "pino";
import { setTimeout as sleep } from "node:timers/promises";
import { isRebalance, rootOf } from "./failures.ts";

/** A lane, as far as its position goes. */
export interface Committable {
  readonly partition: number;
  /** The first offset that is not done. */
  readonly done: number;
  /** As the group has it. */
  committed: number;
  /** Ours in the group's present generation: what was done before a rebalance must not be committed for a new owner. */
  readonly confirmed: boolean;
  readonly lost: boolean;
}

export interface Commits {
  /** Resolves when the lane is committed up to this offset, or lost. */
  upTo(lane: Committable, offset: number): Promise<void>;
  /** Commits what is done, some time soon. */
  soon(): void;
}

export interface CommitSetting {
  readonly lanes: () => Iterable<Committable>;
  /** One attempt. */
  readonly commit: (offsets: readonly { partition: number; offset: string }[]) => Promise<void>;
  readonly stopped: () => boolean;
  readonly log: Logger;
}

interface Waiting {
  readonly lane: Committable;
  readonly offset: number;
  readonly resolve: () => void;
}

/** One commit of a consumer at a time, with the newest position of all its lanes: commits are never out of order. */
export function commitQueue({ lanes, commit, stopped, log }: CommitSetting): Commits {
  let waiting: Waiting[] = [];
  let running = false;

  const due = () => [...lanes()].filter((lane) => lane.confirmed && !lane.lost && lane.done !== lane.committed);

  async function run(): Promise<void> {
    if (running) return;
    running = true;
    for (let failures = 0; !stopped() && (due().length > 0 || waiting.some(canEnd));) {
      const offsets = due().map((lane) => ({ lane, offset: lane.done }));
      try {
        // Nothing due, but somebody waits: a rebalance is under way.
        if (offsets.length === 0) await sleep(20);
        else await commit(offsets.map(({ lane, offset }) => ({ partition: lane.partition, offset: String(offset) })));
        for (const { lane, offset } of offsets) lane.committed = offset;
        if (failures >= LOUD) log.info({ failures }, "committing positions works again");
        failures = 0;
      } catch (error) {
        await failed(error, ++failures);
      }
      waiting = waiting.filter(stillWaiting);
    }
    running = false;
  }

  async function failed(error: unknown, failures: number): Promise<void> {
    const { message, type } = rootOf(error);
    const loud = failures === (isRebalance(error) ? REBALANCED : LOUD);
    const level = loud ? "error" : "debug";
    log[level]({ error: message, type, failures }, "committing positions fails; trying until it works");
    await sleep(Math.min(1_000, 20 * 2 ** failures));
  }

  const soon = () => void run();
  return {
    soon,
    upTo: (lane, offset) =>
      new Promise((resolve) => {
        waiting.push({ lane, offset, resolve });
        soon();
      }),
  };
}

const LOUD = 5;
/** A rebalance is over by then, or something else is wrong. */
const REBALANCED = 20;

/** Not while something before it is not done: then there is nothing to commit. */
const canEnd = ({ lane, offset }: Waiting): boolean => lane.lost || offset <= lane.done;

function stillWaiting({ lane, offset, resolve }: Waiting): boolean {
  if (!lane.lost && lane.committed < offset) return true;
  resolve();
  return false;
}
