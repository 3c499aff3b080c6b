import { isPromise, type Maybe } from "./maybe.ts";

/** Never rejects. */
export type Work = () => Maybe<void>;

/** How many pieces of work may wait in a lane besides those that run, and those that wait behind one of their key: whoever gives them bounds these. */
const BACKLOG = 1_000;

/**
 * Takes one lane's work in order; what it returns settles when there is room for the next. With a limit of 1 it runs
 * each to its end. Above, up to `limit` run side by side, and those of one key one after the other.
 */
export function keyOrder(limit: number): (key: Buffer | null, work: Work) => Maybe<void> {
  if (limit === 1) return (_key, work) => work();
  const ready: { key: string | null; work: Work }[] = [];
  /** A key is here while its work runs or is ready; the array holds what waits behind that. */
  const busyKeys = new Map<string, Work[]>();
  let running = 0;
  let beginning = false;
  /** Those that run or could. */
  let open = 0;
  let roomMade: (() => void) | undefined;

  function begin(): void {
    // Work that ends at once comes back here: thousands of it would be thousands of calls deep.
    if (beginning) return;
    beginning = true;
    while (running < limit && ready.length > 0) {
      const { key, work } = ready.shift()!;
      running++;
      const done = work();
      if (isPromise(done)) void done.then(() => finish(key));
      else finish(key);
    }
    beginning = false;
  }
  function enter(key: string | null, work: Work): void {
    open++;
    ready.push({ key, work });
  }
  function finish(key: string | null): void {
    running--;
    open--;
    const behind = key === null ? undefined : busyKeys.get(key);
    const next = behind?.shift();
    if (next) enter(key, next);
    else if (key !== null) busyKeys.delete(key);
    roomMade?.();
    roomMade = undefined;
    begin();
  }
  return (keyBytes, work) => {
    const key = keyBytes?.toString("latin1") ?? null;
    const behind = key === null ? undefined : busyKeys.get(key);
    if (behind) behind.push(work);
    else {
      if (key !== null) busyKeys.set(key, []);
      enter(key, work);
      begin();
    }
    if (open < limit + BACKLOG) return;
    return new Promise((resolve) => (roomMade = resolve));
  };
}
