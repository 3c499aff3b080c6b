import type { StandardSchemaV1 } from "@standard-schema/spec";
import { SchemaError } from "../errors.ts";
import { isPromise } from "../maybe.ts";
import type { Middleware } from "../middleware.ts";

/** The callback's input is the validator's output; what does not pass fails with the validator's words. */
export function schema(validator: StandardSchemaV1): Middleware {
  return (next) => (visit) => {
    const result = validator["~standard"].validate(visit.payload);
    const go = (checked: StandardSchemaV1.Result<unknown>) => {
      if (checked.issues)
        throw new SchemaError(`the payload does not fit the stop's schema: ${checked.issues.map(inWords).join("; ")}`);
      visit.payload = checked.value;
      return next(visit);
    };
    return isPromise(result) ? result.then(go) : go(result);
  };
}

function inWords(issue: StandardSchemaV1.Issue): string {
  const path = issue.path?.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
  return path ? `${path}: ${issue.message}` : issue.message;
}
