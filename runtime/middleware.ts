import type { Maybe } from "./maybe.ts";
import type { Outcome, Visit } from "./visit.ts";

/** Says what becomes of a visit. A handler that returns no promise is not awaited. It throws to fail. */
export type Handler = (visit: Visit) => Maybe<Outcome>;

/** Wraps a handler; `use` of a stop's options takes one's own, which run inside retries, time limit and schema. */
export type Middleware = (next: Handler) => Handler;

/** The first middleware is the outermost. */
export function compose(middleware: readonly Middleware[], innermost: Handler): Handler {
  return middleware.reduceRight((next, wrap) => wrap(next), innermost);
}
