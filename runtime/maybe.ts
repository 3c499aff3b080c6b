/** A value now, or a promise of it: a callback that returns no promise is not awaited, and costs no turn of the event loop. */
export type Maybe<T> = T | Promise<T>;

export function isPromise<T>(value: Maybe<T> | PromiseLike<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
