/** Resolves after `ms`, or rejects with the signal's reason as soon as one of the signals aborts. */
export function pause(ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
  const signal = AbortSignal.any([...signals]);
  return new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", aborted);
      resolve();
    }, ms);
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
  });
}

/** Exponential backoff with full jitter: a random time below `baseMs` × 2^(failures − 1), at most `capMs`. */
export function backoffMs(failures: number, baseMs: number, capMs: number): number {
  return Math.random() * Math.min(capMs, baseMs * 2 ** (failures - 1));
}

/** Resolves when `done` does, at `deadline` (epoch ms) at the latest. */
export async function until(deadline: number, done: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, Math.max(0, deadline - Date.now()));
  await Promise.race([done, late.promise]);
  clearTimeout(timer);
}
