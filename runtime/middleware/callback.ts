import { Dropped, Passed, Routed, type StopCallback } from "../context.ts";
import { isPromise } from "../maybe.ts";
import type { Handler } from "../middleware.ts";
import type { Outcome, Visit } from "../visit.ts";

/** The innermost handler: calls the stop's callback and reads what it returned. */
export function callbackHandler(callback: StopCallback<never>): Handler {
  return (visit) => {
    const result = callback(visit.payload as never, visit.context);
    return isPromise<unknown>(result)
      ? Promise.resolve(result).then((value) => outcomeOf(visit, value))
      : outcomeOf(visit, result);
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
