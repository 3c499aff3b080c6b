import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Logger } from "pino";
import { backoffMs, pause, until } from "../backoff.ts";
import type { DeadLetters } from "../dead-letters.ts";
import { asError, MetrobusError } from "../errors.ts";
import type { BulkRun, RunStore } from "../run-store.ts";
import type { ActOptions } from "./act.ts";
import { keepLease, type Lease } from "./lease.ts";
import type { ActionReport } from "./report.ts";

export interface BulkRunnerSetting {
  readonly letters: DeadLetters;
  readonly store: RunStore;
  readonly shutdownTimeoutMs: number;
  readonly log: Logger;
}

const LOOK_MS = 1_000;
/** Runs that one process works on; further ones wait for it, or for another process. */
const MOST_AT_ONCE = 8;
const JOIN_AGAIN_MS = 5_000;

/**
 * Carries out the runs in the store that nobody works on, those too that another process has left behind, and whatever else
 * was asked for of single letters. Nothing that is away ends it. Disposed of it gives its runs back.
 */
export function bulkRunner({ letters, store, shutdownTimeoutMs, log }: BulkRunnerSetting): AsyncDisposable {
  const worker = `${hostname()}-${process.pid}`;
  const ending = new AbortController();
  const atWork = new Map<Lease, Promise<void>>();
  let away = false;

  async function look(): Promise<void> {
    while (!ending.signal.aborted) {
      try {
        await claimAll();
        away = false;
      } catch (error) {
        if (!away) log.warn({ error: asError(error).message }, "bulk runs can't be looked for; trying until it works");
        away = true;
      }
      await quietly(pause(LOOK_MS, ending.signal));
    }
  }

  async function claimAll(): Promise<void> {
    while (atWork.size < MOST_AT_ONCE && !ending.signal.aborted) {
      const [token, claimedAt] = [randomUUID(), performance.now()];
      const run = await store.claim({ token, worker });
      if (!run) return;
      const lease = keepLease(store, run, token, claimedAt, log);
      const work = carryOut(run, lease).finally(() => atWork.delete(lease));
      atWork.set(lease, work);
    }
  }

  async function carryOut(run: BulkRun, lease: Lease): Promise<void> {
    const { id, action } = run;
    log.info({ run: id, action }, "works on a bulk run");
    for (let failures = 1; !lease.lost.aborted; failures++) {
      try {
        return await attempt(run, lease, () => (failures = 1));
      } catch (thrown) {
        const error = asError(thrown);
        lease.tell({ error: error.message });
        if (error instanceof MetrobusError && !error.retryable) return await lease.finish("failed");
        log.warn({ run: id, error: error.message }, "the bulk run can't go on; trying until it works");
      }
      await quietly(pause(backoffMs(failures, 1_000, 10_000), ending.signal, lease.lost));
      if (ending.signal.aborted) return await lease.giveBack();
    }
  }

  async function attempt(run: BulkRun, lease: Lease, works: () => void): Promise<void> {
    const tell = (report: ActionReport) => {
      works();
      lease.tell({ report, error: "" });
    };
    const signal = AbortSignal.any([ending.signal, lease.stopping, lease.lost]);
    tell(await act(letters, run, { run, by: run.by, rate: run.rate, signal, onProgress: tell }));
    if (lease.stopping.aborted) await lease.finish("stopped");
    else if (ending.signal.aborted) await lease.giveBack();
    else await lease.finish("done");
  }

  /** What was asked for when a process died would wait for somebody to ask for something else. */
  async function carry(): Promise<void> {
    while (!ending.signal.aborted) {
      try {
        await using worker = await letters.work();
        await Promise.race([worker.failed, aborted(ending.signal)]);
      } catch (error) {
        log.debug({ error: asError(error).message }, "nobody here carries out what is asked for of dead letters yet");
      }
      await quietly(pause(JOIN_AGAIN_MS, ending.signal));
    }
  }

  const looking = look();
  const carrying = carry();
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      const deadline = Date.now() + shutdownTimeoutMs;
      await until(
        deadline,
        looking.then(() => Promise.all(atWork.values())),
      );
      await Promise.all([...atWork.keys()].map((lease) => lease.giveBack()));
      await until(deadline, carrying);
    },
  };
}

function act(letters: DeadLetters, run: BulkRun, options: ActOptions): Promise<ActionReport> {
  const { action, filter, change, why } = run;
  if (action === "discard") return letters.discard(filter, { ...options, reason: why });
  return letters.replay(filter, { ...options, ...change });
}

const quietly = (pausing: Promise<void>): Promise<void> => pausing.catch(() => undefined);

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
