import { Dropped, Passed, Routed, type StopCallback } from "../context.ts";
import { UnusableResult } from "../errors.ts";
import { isPromise } from "../maybe.ts";
import type { Handler } from "../middleware.ts";
import type { Outcome, Visit } from "../visit.ts";

/** The innermost handler: calls the stop's callback and reads what it returned. */
export function callbackHandler(callback: StopCallback<never>): Handler {
  let warned = false;

  function read(visit: Visit, result: unknown): Outcome {
    const { dropped } = visit.context;
    const outcome = outcomeOf(visit, result ?? dropped ?? result);
    if (dropped && outcome.kind !== "drop") {
      throw new UnusableResult(
        `context.drop(${JSON.stringify(dropped.reason)}) was called, but something else returned: write "return context.drop(…)"`,
      );
    }
    if (result === undefined && !dropped && !warned) {
      warned = true;
      visit.setting.log.warn(
        'the callback returned undefined, so the message is dropped: is a "return" missing? Return null where a drop is meant. Later ones are only counted.',
      );
    }
    return outcome;
  }

  return (visit) => {
    const result = callback(visit.payload as never, visit.context);
    return isPromise<unknown>(result)
      ? Promise.resolve(result).then((value) => read(visit, value))
      : read(visit, result);
  };
}

function outcomeOf(visit: Visit, result: unknown): Outcome {
  if (result === null) return { kind: "drop", reason: "returned null" };
  if (result === undefined) return { kind: "drop", reason: "returned nothing" };
  if (result instanceof Dropped) return { kind: "drop", reason: result.reason };
  if (result instanceof Passed) return { kind: "pass" };
  if (!(result instanceof Routed)) return { kind: "forward", payload: result };
  visit.context.route.replace(result.route);
  return outcomeOf(visit, result.payload);
}
