import {
  hasEnded,
  LEASE_MS,
  NOTHING_YET,
  RUN_KEPT_MS,
  RUNS_KEPT,
  type BulkRun,
  type RunProgress,
  type RunStore,
} from "../run-store.ts";

interface Kept {
  run: BulkRun;
  /** "": nobody has it. */
  token: string;
  until: number;
  /** Of one that has ended. */
  keptUntil: number;
}

/** Runs that only this process knows, gone with it. */
export function memoryRuns(now: () => number = Date.now): RunStore {
  /** Oldest first. */
  const runs = new Map<string, Kept>();

  function trim(): void {
    let tooMany = runs.size - RUNS_KEPT;
    for (const [id, { run, keptUntil }] of runs) {
      if (!hasEnded(run) || (tooMany <= 0 && keptUntil > now())) continue;
      runs.delete(id);
      tooMany--;
    }
  }

  const isHeld = ({ token, until }: Kept) => token !== "" && until > now();

  function seen(kept: Kept): BulkRun {
    return isHeld(kept) ? kept.run : { ...kept.run, worker: "" };
  }

  /** What the token has. */
  function held(id: string, token: string): Kept | undefined {
    const kept = runs.get(id);
    return kept?.token === token ? kept : undefined;
  }

  function tell(kept: Kept, { report, error }: RunProgress): void {
    kept.run = { ...kept.run, report, error };
  }

  function letGo(kept: Kept): void {
    kept.token = "";
  }

  return {
    async add(request) {
      const run: BulkRun = { ...request, ...NOTHING_YET, at: now(), state: "running", worker: "" };
      runs.set(run.id, { run, token: "", until: 0, keptUntil: 0 });
      trim();
      return run;
    },
    async list() {
      trim();
      return [...runs.values()].map(seen).toReversed().slice(0, RUNS_KEPT);
    },
    async get(id) {
      trim();
      const kept = runs.get(id);
      return kept ? seen(kept) : null;
    },
    async stop(id) {
      const kept = runs.get(id);
      if (kept?.run.state === "running") kept.run = { ...kept.run, state: "stopping" };
    },
    async claim({ token, worker }) {
      for (const kept of runs.values()) {
        if (hasEnded(kept.run) || isHeld(kept)) continue;
        Object.assign(kept, { token, until: now() + LEASE_MS, run: { ...kept.run, worker } });
        return kept.run;
      }
      return null;
    },
    async renew(id, token, progress) {
      const kept = held(id, token);
      if (!kept) return null;
      kept.until = now() + LEASE_MS;
      tell(kept, progress);
      return kept.run.state;
    },
    async release(id, token, progress) {
      const kept = held(id, token);
      if (!kept) return;
      tell(kept, progress);
      letGo(kept);
    },
    async finish(id, token, state, progress) {
      const kept = held(id, token);
      if (!kept) return;
      tell(kept, progress);
      kept.run = { ...kept.run, state };
      kept.keptUntil = now() + RUN_KEPT_MS;
      letGo(kept);
      trim();
    },
    close: async () => undefined,
  };
}
