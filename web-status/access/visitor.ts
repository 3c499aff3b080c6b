/** Who asks, and what he may do. */
export interface Visitor {
  /** null: it is not known who it is. */
  readonly name: string | null;
  /** How it is known: by the header of a proxy, by a session (that he can end), by HTTP Basic. */
  readonly by: "proxy" | "session" | "basic" | null;
  /** Actions are an operator's. */
  readonly mayAct: boolean;
  /** Payloads, keys, ids, headers and error texts. */
  readonly seesDetails: boolean;
}

/** The answer to a request that gets no other: 400 it is broken, 401 wrong name or password, 403 from another site, 429 too many wrong passwords. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 429;
  readonly error: string;
  /** For the header Retry-After, in seconds. */
  readonly retryAfterS?: number;
}

export const isRefusal = (answer: object): answer is Refusal => "status" in answer;
