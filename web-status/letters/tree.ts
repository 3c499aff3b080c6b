/** A part of a payload, as people unfold it. */
export interface Twig {
  /** The field's, or the place in an array. */
  readonly name: string;
  /** Its JSON; of one that holds others, how many: `3 fields`, `1 item`. */
  readonly text: string;
  /** null: it holds none. */
  readonly twigs: readonly Twig[] | null;
}

/** Below, all is one text. */
const DEEPEST = 30;

/** What a value of JSON holds; null: nothing. Numbers may be as `exactJson` has them. */
export function twigsOf(value: unknown, depth = 1): readonly Twig[] | null {
  if (!holdsOthers(value) || depth > DEEPEST) return null;
  return Object.entries(value).map(([name, each]) => {
    const twigs = twigsOf(each, depth + 1);
    return { name, text: twigs ? sizeOf(each as object, twigs.length) : JSON.stringify(each), twigs };
  });
}

function sizeOf(value: object, count: number): string {
  const what = Array.isArray(value) ? "item" : "field";
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}

/** In Node since 22; TypeScript does not know it yet. */
const { isRawJSON } = JSON as unknown as { isRawJSON(value: unknown): boolean };
const holdsOthers = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !isRawJSON(value);
