import type { Logger } from "pino";
import { backoffMs, pause } from "../../backoff.ts";
import { rootOf } from "./failures.ts";

export interface Persistence {
  /** What is tried, for the log: "sending to Kafka". */
  readonly what: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Called after each failure; throws what no further attempt can heal. */
  failed?(error: unknown): void | Promise<void>;
}

/**
 * Tries until it works. The first failure of a row that lasts is logged once, and so is its end. Rejects with the
 * signal's reason as soon as it aborts, even while an attempt hangs, or with what `failed` throws.
 */
export async function persist<T>(attempt: () => Promise<T>, { what, log, signal, failed }: Persistence): Promise<T> {
  for (let failures = 1; ; failures++) {
    signal.throwIfAborted();
    try {
      const result = await orAborted(attempt(), signal);
      if (failures > LOUD) log.info({ failures: failures - 1 }, `${what} works again`);
      return result;
    } catch (error) {
      signal.throwIfAborted();
      await failed?.(error);
      const { message, type } = rootOf(error);
      const level = failures === LOUD ? "error" : "debug";
      log[level]({ error: message, type, failures }, `${what} fails; trying until it works`);
      await pause(20 + backoffMs(failures, 100, 2_000), signal);
    }
  }
}

/** A leader that moves fails a request or two; that is nobody's business. */
const LOUD = 3;

/** The promise's outcome, or the signal's reason as soon as it aborts. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason as Error);
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([aborted.promise, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
