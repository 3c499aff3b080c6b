/**
 * Where `once` keeps what became of messages, for a while, so that one that comes again gets the same outcome without the
 * callback. All calls are atomic, and resolve or throw within a few seconds.
 */
export interface OnceStore {
  /**
   * Claims what `key` names for `token` (one visit of a message), for `leaseMs` from now on by the store's clock. The claim
   * is remembered for `ttlMs` beyond that. Claimed again by the same token it is its own again. Throws Unavailable.
   */
  claim(key: string, claim: ClaimRequest): Promise<Claimed>;
  /** Keeps a result for `ttlMs`; resolves with the one that counts, which is the first. Throws Unavailable. */
  store(key: string, result: string, ttlMs: number): Promise<string>;
  /** Gives up the token's claim, if it still has it and there is no result. Throws Unavailable. */
  release(key: string, token: string): Promise<void>;
  close(): Promise<void>;
}

export interface ClaimRequest {
  readonly token: string;
  readonly leaseMs: number;
  readonly ttlMs: number;
  /** Whether a claim of somebody else that has run out without a result becomes ours. */
  readonly takeOver: boolean;
}

export type Claimed =
  | { readonly state: "mine" }
  /** It was done before. */
  | { readonly state: "done"; readonly result: string }
  /** Somebody else has it, for so long at most. */
  | { readonly state: "held"; readonly forMs: number }
  /** Somebody else's claim has run out without a result: nobody knows what was done. */
  | { readonly state: "expired" };
