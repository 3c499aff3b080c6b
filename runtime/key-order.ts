import { isPromise, type Maybe } from "./maybe.ts";

/** Never rejects. */
export type Work = () => Maybe<void>;

/** How many pieces of work may wait in a lane besides those that run, and those that wait behind one of their key: whoever gives them bounds these. */
const BACKLOG = 1_000;

interface Piece {
  /** Its place in the lane's order. */
  readonly n: number;
  readonly key: string | null;
  readonly work: Work;
}

/**
 * Takes one lane's work in order; what it returns settles when there is room for the next. With a limit of 1 it runs
 * each to its end. Above, up to `limit` run side by side, and those of one key one after the other. Of all that could begin
 * the oldest does: newer work may wait for it, and all that runs might be such.
 */
export function keyOrder(limit: number): (key: Buffer | null, work: Work) => Maybe<void> {
  if (limit === 1) return (_key, work) => work();
  /** Oldest first. */
  const ready: Piece[] = [];
  /** A key is here while its work runs or is ready; the array holds what waits behind that. */
  const busyKeys = new Map<string, Piece[]>();
  let given = 0;
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
  function enter(piece: Piece): void {
    open++;
    const at = ready.findLastIndex(({ n }) => n < piece.n) + 1;
    ready.splice(at, 0, piece);
  }
  function finish(key: string | null): void {
    running--;
    open--;
    const behind = key === null ? undefined : busyKeys.get(key);
    const next = behind?.shift();
    if (next) enter(next);
    else if (key !== null) busyKeys.delete(key);
    roomMade?.();
    roomMade = undefined;
    begin();
  }
  return (keyBytes, work) => {
    const key = keyBytes?.toString("latin1") ?? null;
    const behind = key === null ? undefined : busyKeys.get(key);
    const piece = { n: given++, key, work };
    if (behind) behind.push(piece);
    else {
      if (key !== null) busyKeys.set(key, []);
      enter(piece);
      begin();
    }
    if (open < limit + BACKLOG) return;
    return new Promise((resolve) => (roomMade = resolve));
  };
}
