import type { Logger } from "pino";
import { pause } from "../backoff.ts";
import { asError } from "../errors.ts";
import { LEASE_MS, type BulkRun, type RunProgress, type RunStore } from "../run-store.ts";

/** A run that this process works on, as long as it says so in time. */
export interface Lease {
  /** Aborts when somebody has asked for the run to stop. */
  readonly stopping: AbortSignal;
  /** Aborts when others may work on the run; what is told of it then goes nowhere. */
  readonly lost: AbortSignal;
  /** For the next renewal. */
  tell(progress: Partial<RunProgress>): void;
  /** The run has ended. Tries until that is kept, or the lease is lost. */
  finish(state: "stopped" | "done" | "failed"): Promise<void>;
  /** Others may go on at once, if the store can be told. Never rejects. */
  giveBack(): Promise<void>;
}

const RENEW_MS = 1_000;
/** A store that can't be reached may take 2 s to say so: then the lease is not over yet. */
const GIVE_UP_MS = LEASE_MS - 3_000;
const AGAIN_MS = 500;

/** Keeps the lease of a run that was just claimed: `claimedAt` is when that was asked for, by `performance.now()`. */
export function keepLease(store: RunStore, run: BulkRun, token: string, claimedAt: number, log: Logger): Lease {
  const { id } = run;
  const [stopping, lost, over] = [new AbortController(), new AbortController(), new AbortController()];
  let progress: RunProgress = { report: run.report, error: run.error };
  let renewedAt = claimedAt;
  if (run.state === "stopping") stopping.abort();

  async function renew(): Promise<void> {
    const asked = performance.now();
    try {
      const state = await store.renew(id, token, progress);
      if (state === null) return lose("somebody else works on it");
      if (state === "stopping") stopping.abort();
      renewedAt = asked;
    } catch (error) {
      if (performance.now() - renewedAt > GIVE_UP_MS) lose(asError(error).message);
    }
  }

  function lose(why: string): void {
    if (over.signal.aborted) return;
    log.warn({ run: id, error: why }, "the bulk run is no longer ours; whoever can goes on with it");
    end();
  }

  function end(): void {
    over.abort();
    lost.abort();
  }

  async function renewing(): Promise<void> {
    while (!over.signal.aborted) {
      await pause(RENEW_MS, over.signal).catch(() => undefined);
      if (!over.signal.aborted) await renew();
    }
  }
  void renewing();

  return {
    stopping: stopping.signal,
    lost: lost.signal,
    tell(told) {
      progress = { ...progress, ...told };
    },
    async finish(state) {
      while (!lost.signal.aborted) {
        try {
          await store.finish(id, token, state, progress);
          return end();
        } catch {
          await pause(AGAIN_MS, lost.signal).catch(() => undefined);
        }
      }
    },
    async giveBack() {
      if (lost.signal.aborted) return;
      end();
      await store.release(id, token, progress).catch(() => undefined);
    },
  };
}
