import type { Span } from "./cursor.ts";
import { letterId, placeOf } from "./letter.ts";

/** 8 KB. */
const PAGE = 4_096;

/** A number from 1 to 65,535 for each letter, two bytes each where they lie close together; 0: it has none. */
export class LetterNumbers {
  readonly #pages = new Map<string, Map<number, Uint16Array>>();

  set(id: string, number: number): void {
    const { lane, position } = placeOf(id);
    const at = position % PAGE;
    const pages = this.#pages.get(lane) ?? new Map<number, Uint16Array>();
    this.#pages.set(lane, pages);
    const page = pages.get(position - at) ?? new Uint16Array(PAGE);
    pages.set(position - at, page);
    page[at] = number;
  }

  of(id: string): number {
    const { lane, position } = placeOf(id);
    const at = position % PAGE;
    return this.#pages.get(lane)?.get(position - at)?.[at] ?? 0;
  }

  *[Symbol.iterator](): Generator<readonly [id: string, number: number]> {
    for (const [lane, pages] of this.#pages) for (const first of pages.keys()) yield* this.#onPage(lane, first);
  }

  /** Takes away those of a lane that lie in a span, and tells of each. */
  *remove({ lane, low, end }: Span): Generator<readonly [id: string, number: number]> {
    const pages = this.#pages.get(lane);
    for (const [first, page] of pages ?? []) {
      if (first >= end || first + PAGE <= low) continue;
      for (const [id, number] of this.#onPage(lane, first)) {
        const { position } = placeOf(id);
        if (position < low || position >= end) continue;
        page[position - first] = 0;
        yield [id, number];
      }
      if (first + PAGE <= end) pages!.delete(first);
    }
  }

  clear(): void {
    this.#pages.clear();
  }

  *#onPage(lane: string, first: number): Generator<readonly [id: string, number: number]> {
    for (const [at, number] of this.#pages.get(lane)!.get(first)!.entries())
      if (number !== 0) yield [letterId({ lane, position: String(first + at) }), number];
  }
}
