/** Room in a line of text is counted in characters: a server knows no fonts. What is wider all the same is clipped. */

const WIDE = /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Extended_Pictographic}]/u;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
const BREAKS_AFTER = /[.\-_\s]/;

/** A name in one line; the middle of one that is too long is left out, since names tend to differ at their ends. */
export function oneLine(name: string, room: number): string {
  const all = charactersOf(name);
  if (widthOf(all) <= room) return name;
  const end = fromEnd(all, Math.floor(room / 2) - 1);
  return `${fromStart(all, room - 1 - widthOf(end)).join("")}…${end.join("")}`;
}

/** In at most two lines, broken where its parts meet if that is possible. */
export function twoLines(name: string, room: number): readonly string[] {
  const all = charactersOf(name);
  if (widthOf(all) <= room) return [name];
  const full = fromStart(all, room).length;
  const first = breakBefore(all, full) ?? full;
  return [all.slice(0, first).join(""), oneLine(all.slice(first).join(""), room)];
}

/** The last place before `full` where a part ends; not so early that the first line would be nearly empty. */
function breakBefore(all: readonly string[], full: number): number | null {
  for (let at = full; at > full / 2; at--) {
    const isCapital = /\p{Lu}/u.test(all[at] ?? "") && /\p{Ll}/u.test(all[at - 1]!);
    if (BREAKS_AFTER.test(all[at - 1]!) || isCapital) return at;
  }
  return null;
}

/** Longer names than that there are not, but in a store that somebody else writes to. */
const MOST = 300;

const charactersOf = (name: string): string[] =>
  [...graphemes.segment(name.slice(0, MOST))].map(({ segment }) => segment);
const widthOf = (characters: readonly string[]): number =>
  characters.reduce((sum, each) => sum + (WIDE.test(each) ? 2 : 1), 0);

function fromStart(all: readonly string[], room: number): string[] {
  let left = room;
  const end = all.findIndex((each) => (left -= widthOf([each])) < 0);
  return end === -1 ? [...all] : all.slice(0, end);
}

const fromEnd = (all: readonly string[], room: number): string[] => fromStart(all.toReversed(), room).toReversed();
