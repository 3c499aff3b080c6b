import type { Maybe } from "./maybe.ts";

/** Where a stop's messages pass before they are worked on; closed, they wait. */
export interface PauseGate {
  readonly closed: boolean;
  /** Closes or opens it. */
  set(closed: boolean): void;
  /** A promise only where it is closed; it resolves when it is opened or one of the signals aborts. */
  pass(...signals: readonly AbortSignal[]): Maybe<void>;
}

/** Closed until somebody says whether it is to be. */
export function pauseGate(): PauseGate {
  let opening: PromiseWithResolvers<void> | null = Promise.withResolvers();
  return {
    get closed() {
      return opening !== null;
    },
    set(closed) {
      if (closed) opening ??= Promise.withResolvers();
      else opening?.resolve();
      if (!closed) opening = null;
    },
    pass(...signals) {
      if (!opening) return;
      const { promise } = opening;
      const over = AbortSignal.any([...signals]);
      return new Promise((resolve) => {
        const go = () => {
          over.removeEventListener("abort", go);
          resolve();
        };
        over.addEventListener("abort", go);
        void promise.then(go);
        if (over.aborted) go();
      });
    },
  };
}
