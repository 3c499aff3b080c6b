import { placeOf } from "./letter.ts";

/** 4 KB. */
const PAGE = 32_768;

/** A set of letters by their ids, a bit each where they lie close together: a million take 125 KB. */
export class LetterSet {
  readonly #pages = new Map<string, Uint8Array>();
  size = 0;

  has(id: string): boolean {
    const { page, byte, bit } = bitOf(id);
    return ((this.#pages.get(page)?.[byte] ?? 0) & bit) !== 0;
  }

  add(id: string): void {
    const { page, byte, bit } = bitOf(id);
    const bits = this.#pages.get(page) ?? new Uint8Array(PAGE / 8);
    this.#pages.set(page, bits);
    if ((bits[byte]! & bit) === 0) this.size++;
    bits[byte]! |= bit;
  }

  delete(id: string): void {
    const { page, byte, bit } = bitOf(id);
    const bits = this.#pages.get(page);
    if (!bits || (bits[byte]! & bit) === 0) return;
    bits[byte]! &= ~bit;
    this.size--;
  }
}

function bitOf(id: string) {
  const { lane, position } = placeOf(id);
  const at = position % PAGE;
  return { page: `${lane}-${(position - at) / PAGE}`, byte: at >> 3, bit: 1 << (at & 7) };
}
