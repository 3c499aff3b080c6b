import type { Outgoing } from "../bus.ts";
import type { Outcome, Visit } from "../visit.ts";

/** What came of a visit as text: JSON, with bytes in base64. */
interface Kept {
  readonly kind: "forward" | "pass" | "drop";
  readonly reason?: string;
  readonly next?: string;
  readonly out: readonly {
    readonly topic: string;
    readonly key: string | null;
    readonly value: string | null;
    readonly headers: readonly (readonly [string, string | null])[];
  }[];
}

export function record(visit: Visit, outcome: Outcome): string {
  const kept = {
    kind: outcome.kind,
    ...(outcome.kind === "drop" && { reason: outcome.reason }),
    next: visit.next,
    out: visit.out.map(({ topic, key, value, headers }) => ({
      topic,
      key: text(key),
      value: text(value),
      headers: headers.map(([name, bytes]) => [name, text(bytes)]),
    })),
  };
  return JSON.stringify(kept);
}

/** Gives a visit the outcome that was recorded. Its payload is known only as what is to be sent; that it is a replay goes on being told. */
export function recall(visit: Visit, recorded: string): Outcome {
  const { kind, reason = "", next, out } = JSON.parse(recorded) as Kept;
  const replay = visit.record.headers.filter(([name]) => name.startsWith(REPLAY));
  visit.next = next;
  visit.out = out.map(({ topic, key, value, headers }): Outgoing => ({
    topic,
    key: bytes(key),
    value: bytes(value),
    headers: [
      ...headers
        .filter(([name]) => replay.length === 0 || !name.startsWith(REPLAY))
        .map(([name, each]) => [name, bytes(each)] as const),
      ...replay,
    ],
  }));
  return kind === "drop" ? { kind, reason } : kind === "pass" ? { kind } : { kind, payload: undefined };
}

/** Headers that a replay has (`runtime/dead-letters/letter.ts`). */
const REPLAY = "replay.";

const text = (bytes: Buffer | null) => bytes && bytes.toString("base64");
const bytes = (text: string | null) => (text === null ? null : Buffer.from(text, "base64"));
