import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Config } from "./config.ts";
import type { StopCallback } from "./context.ts";
import { MetrobusError, OnceStoreUnavailable } from "./errors.ts";
import { compose, type Handler, type Middleware } from "./middleware.ts";
import { breaker, type Breaker } from "./middleware/breaker.ts";
import { callbackHandler } from "./middleware/callback.ts";
import type { CircuitOptions } from "./middleware/circuit.ts";
import { deadLetter } from "./middleware/dead-letter.ts";
import { arrival, departure } from "./middleware/envelope.ts";
import { later } from "./middleware/later.ts";
import { once } from "./middleware/once.ts";
import { retry } from "./middleware/retry.ts";
import { schema } from "./middleware/schema.ts";
import { timeLimit } from "./middleware/time-limit.ts";
import type { OnceStore } from "./once-store.ts";
import { laterDelays, laterWithin, onceKeeps, type StopOptions } from "./stop-options.ts";

/** The options of any stop, whatever its callback takes. */
export type AnyStopOptions = Omit<StopOptions<never>, "schema"> & { readonly schema?: StandardSchemaV1 };

/** Whether trying again can help. A stop's own function is not asked where metrobus's own errors say that it can't, or that Redis is away. */
function retryable({ isRetryable = () => true }: AnyStopOptions): (error: Error) => boolean {
  return (error) =>
    error instanceof OnceStoreUnavailable ||
    ((!(error instanceof MetrobusError) || error.retryable) && isRetryable(error));
}

/** The one breaker that all messages of a started stop pass; null: its options want none. */
export function stopBreaker(options: AnyStopOptions, told: Pick<CircuitOptions, "log" | "changed">): Breaker | null {
  if (options.breaker === false) return null;
  const { baseMs = 1_000, capMs = 30_000 } = options.breaker ?? {};
  return breaker({ baseMs, capMs, isRetryable: retryable(options), ...told });
}

/** What all messages of a started stop share. */
export interface Surroundings {
  readonly config: Config;
  readonly group: string;
  readonly breaker: Breaker | null;
  readonly once: OnceStore;
  /** Outside of all others; null: none. */
  readonly tracing: Middleware | null;
}

/** A stop's callback with all that is around it: the order of the middleware, outermost first. */
export function stopHandler(
  callback: StopCallback<never>,
  options: AnyStopOptions,
  { config, group, breaker, once: store, tracing }: Surroundings,
): Handler {
  const { retries = {}, input = "routed", schema: validator, use = [] } = options;
  const { attempts = config.attempts, baseMs = 100, capMs = 10_000 } = retries;
  const delays = laterDelays(options);
  const timeLimitMs = options.timeLimit ?? config.timeLimitMs;
  const layers: Middleware[] = [
    ...(tracing ? [tracing] : []),
    deadLetter,
    ...(delays.length > 0 ? [later({ delays, withinMs: laterWithin(options), isRetryable: retryable(options) })] : []),
    arrival(input, config.envelope),
    ...(breaker ? [breaker.middleware] : []),
    retry({ attempts, baseMs, capMs, isRetryable: retryable(options) }),
    ...(options.once ? [once({ store, group, timeLimitMs, ...onceKeeps(options.once) })] : []),
    departure,
    timeLimit(timeLimitMs, options.once ? "goes on" : "ends"),
    ...(validator ? [schema(validator)] : []),
    ...use,
  ];
  return compose(layers, callbackHandler(callback));
}
