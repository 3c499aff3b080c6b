import type { OnceStore } from "../once-store.ts";

interface Entry {
  readonly token: string;
  readonly leasedUntil: number;
  readonly result?: string;
  readonly keptUntil: number;
}

/** Outcomes that only this process knows, gone with it. */
export function memoryOnce(now: () => number = Date.now): OnceStore {
  /** Those written first come first, so those of one time to live run out in this order. */
  const entries = new Map<string, Entry>();

  function put(key: string, entry: Entry): void {
    entries.delete(key);
    entries.set(key, entry);
    for (const [old, { keptUntil }] of entries) {
      if (keptUntil > now()) break;
      entries.delete(old);
    }
  }
  function find(key: string): Entry | undefined {
    const entry = entries.get(key);
    return entry && entry.keptUntil > now() ? entry : undefined;
  }

  return {
    async claim(key, { token, leaseMs, ttlMs, takeOver }) {
      const before = find(key);
      if (before?.result !== undefined) return { state: "done", result: before.result };
      if (before && before.token !== token) {
        const forMs = before.leasedUntil - now();
        if (forMs > 0) return { state: "held", forMs };
        if (!takeOver) return { state: "expired" };
      }
      const leasedUntil = now() + leaseMs;
      put(key, { token, leasedUntil, keptUntil: leasedUntil + ttlMs });
      return { state: "mine" };
    },
    async store(key, result, ttlMs) {
      const before = find(key)?.result;
      if (before !== undefined) return before;
      put(key, { token: "", leasedUntil: 0, result, keptUntil: now() + ttlMs });
      return result;
    },
    async release(key, token) {
      const entry = find(key);
      if (entry?.token === token && entry.result === undefined) entries.delete(key);
    },
    close: async () => undefined,
  };
}
