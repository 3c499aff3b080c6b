import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Config } from "./config.ts";
import type { StopCallback } from "./context.ts";
import { compose, type Handler, type Middleware } from "./middleware.ts";
import { callbackHandler } from "./middleware/callback.ts";
import { deadLetter } from "./middleware/dead-letter.ts";
import { envelope } from "./middleware/envelope.ts";
import { isRetryable, retry } from "./middleware/retry.ts";
import { schema } from "./middleware/schema.ts";
import { timeLimit } from "./middleware/time-limit.ts";
import type { StopOptions } from "./stop-options.ts";

/** The options of any stop, whatever its callback takes. */
export type AnyStopOptions = Omit<StopOptions<never>, "schema"> & { readonly schema?: StandardSchemaV1 };

/** A stop's callback with all that is around it: the order of the middleware, outermost first. */
export function stopHandler(callback: StopCallback<never>, options: AnyStopOptions, config: Config): Handler {
  const { retries = {}, input = "routed", schema: validator, use = [] } = options;
  const { attempts = config.attempts, baseMs = 100, capMs = 10_000 } = retries;
  const layers: Middleware[] = [
    deadLetter,
    envelope(input, config.envelope),
    retry({ attempts, baseMs, capMs, isRetryable: options.isRetryable ?? isRetryable }),
    timeLimit(options.timeLimit ?? config.timeLimitMs),
    ...(validator ? [schema(validator)] : []),
    ...use,
  ];
  return compose(layers, callbackHandler(callback));
}
