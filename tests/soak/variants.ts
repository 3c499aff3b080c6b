import type { Delivery } from "metrobus";

export interface Variant {
  readonly name: string;
  readonly delivery: Delivery;
  readonly later: boolean;
  readonly once: boolean;
  readonly concurrency: number;
}

export const VARIANTS: readonly Variant[] = [
  { name: "at-least-once", delivery: "at-least-once", later: false, once: false, concurrency: 1 },
  { name: "exactly-once", delivery: "exactly-once", later: false, once: false, concurrency: 1 },
  { name: "later-and-once", delivery: "at-least-once", later: true, once: true, concurrency: 64 },
];

export const topicsOf = ({ name }: Variant) => ({
  source: `Source-${name}`,
  work: `Work-${name}`,
  done: `Done-${name}`,
});

/** What has to become of message `n` at the stop behind the busdriver; "later": it is put off once, and forwarded then. */
export function expected(n: number, { later }: Pick<Variant, "later">): "forwarded" | "dropped" | "dead" | "later" {
  if (n % 500 === 1) return "dropped";
  if (n % 2_000 === 2) return "dead";
  return later && n % 100 === 3 ? "later" : "forwarded";
}
