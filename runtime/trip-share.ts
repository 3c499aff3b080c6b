/**
 * Which messages' trips are kept: a share of all, so small that about as many trips a second are as are wanted. The same at every stop, since it
 * follows from the message's id and from when it boarded.
 */

/** Of the messages that board from `from` (epoch ms) on, one of 2^`halvings` is kept. */
export interface TripShare {
  readonly from: number;
  readonly halvings: number;
}

/** So that every process has heard of a share before the first message that it is for. */
export const ANNOUNCED_MS = 4_000;
/** A share is doubled only when that leaves room: the load goes up and down. */
const ROOM = 0.7;
const MOST_HALVINGS = 24;

/**
 * Of how many halvings the share of messages is that boarded then; none is kept of 32. `shares`: oldest first; what boarded before all of
 * them is measured by the oldest.
 */
export function halvingsAt(boarded: number, shares: readonly TripShare[]): number {
  // Most board now; of a topic with a long past most boarded before all of them, and every message pays for a look at each.
  const isOld = shares.length > 1 && boarded < shares[1]!.from;
  for (let at = isOld ? 0 : shares.length - 1; at > 0; at--) {
    if (boarded >= shares[at]!.from) return shares[at]!.halvings;
  }
  return shares[0]?.halvings ?? 32;
}

/** What is kept of a share is kept of every larger one. */
export const isKept = (id: string, halvings: number): boolean =>
  halvings === 0 || (halvings < 32 && hash(id) >>> (32 - halvings) === 0);

/** Messages a second. */
export interface Rates {
  readonly boarded: number;
  /** Of so many trips are to be recorded. */
  readonly wanted: number;
}

/** The share to be announced at these rates; null: the last one will do. */
export function nextShare(rates: Rates, shares: readonly TripShare[], now: number): TripShare | null {
  const last = shares.at(-1);
  const right = halvingsFor(rates);
  if (!last) return { from: 0, halvings: right };
  if (last.from > now) return null;
  if (right > last.halvings) return { from: now + ANNOUNCED_MS, halvings: right };
  const withRoom = halvingsFor({ ...rates, boarded: rates.boarded / ROOM });
  return withRoom < last.halvings ? { from: now + ANNOUNCED_MS, halvings: withRoom } : null;
}

function halvingsFor({ boarded, wanted }: Rates): number {
  const exact = Math.ceil(Math.log2(Math.max(boarded, wanted) / wanted));
  return Math.min(exact, MOST_HALVINGS);
}

/** So many characters at its end tell an id from others: a number that counts, or half of what is random. */
const TELLING = 12;
const SEED = 0x81_1c_9d_c5 | 0;
const DOT = 46;
const FORKS = /(?<=.)(?:\.\d+)+$/s;

/**
 * FNV-1a of an id's end, read backwards, its bits mixed once more: 32 bits. Forks are kept with what they come from: `.<n>` at its end is
 * left out, however often. Every message pays for it: what may be a fork is looked at only where there is a dot.
 */
function hash(id: string, isNoFork = false): number {
  let value = SEED;
  const first = Math.max(0, id.length - TELLING);
  for (let at = id.length - 1; at >= first; at--) {
    const code = id.charCodeAt(at);
    if (code === DOT && !isNoFork) return hash(id.replace(FORKS, ""), true);
    value = Math.imul(value ^ code, 0x01_00_01_93);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85_eb_ca_6b);
  return value ^ (value >>> 13);
}
