/**
 * Which messages' trips are kept: a share of all, so small that about 50 trips a second are. The same at every stop, since it
 * follows from the message's id and from when it boarded.
 */

/** Of the messages that board from `from` (epoch ms) on, one of 2^`halvings` is kept. */
export interface TripShare {
  readonly from: number;
  readonly halvings: number;
}

export const TRIPS_A_SECOND = 50;
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
  for (let at = shares.length - 1; at > 0; at--) {
    if (boarded >= shares[at]!.from) return shares[at]!.halvings;
  }
  return shares[0]?.halvings ?? 32;
}

/** What is kept of a share is kept of every larger one. */
export const isKept = (id: string, halvings: number): boolean =>
  halvings === 0 || (halvings < 32 && hash(id) >>> (32 - halvings) === 0);

/** The share to be announced when so many messages board a second; null: the last one will do. */
export function nextShare(boardedPerSecond: number, shares: readonly TripShare[], now: number): TripShare | null {
  const last = shares.at(-1);
  if (!last) return { from: 0, halvings: halvingsFor(boardedPerSecond) };
  if (last.from > now) return null;
  const wanted = halvingsFor(boardedPerSecond);
  const hasRoom = halvingsFor(boardedPerSecond / ROOM) < last.halvings;
  if (wanted > last.halvings) return { from: now + ANNOUNCED_MS, halvings: wanted };
  return hasRoom ? { from: now + ANNOUNCED_MS, halvings: halvingsFor(boardedPerSecond / ROOM) } : null;
}

function halvingsFor(boardedPerSecond: number): number {
  const exact = Math.ceil(Math.log2(Math.max(boardedPerSecond, TRIPS_A_SECOND) / TRIPS_A_SECOND));
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
