import type { LaneState, Message, Received } from "../../bus.ts";
import type { Room } from "./room.ts";

/**
 * One lane of a topic: its records in order, numbered from 0, and how far each group has come. It keeps what some group
 * has not consumed, and the newest `keep` records.
 */
export class Lane {
  readonly name: string;
  /** Called after every append, by whom waits for records. */
  readonly readers = new Set<() => void>();
  readonly #keep: number;
  readonly #room: Room;
  readonly #positions = new Map<string, number>();
  #records: Received[] = [];
  /** Index in `#records` of the oldest record kept; those before it are cut off now and then, not one by one. */
  #first = 0;
  #low = 0;
  /** The position of the group that is farthest behind. */
  #needed = Number.POSITIVE_INFINITY;

  constructor(name: string, keep: number, room: Room) {
    this.name = name;
    this.#keep = keep;
    this.#room = room;
  }

  get low(): number {
    return this.#low;
  }

  get end(): number {
    return this.#low + this.#records.length - this.#first;
  }

  /** How many records some group has not consumed yet. */
  get unread(): number {
    return Math.max(0, this.end - this.#needed);
  }

  append({ topic, key, value, headers }: Message): void {
    const position = String(this.end);
    this.#records.push({ topic, key, value, headers, lane: this.name, position, timestamp: Date.now() });
    if (this.#positions.size > 0) this.#room.unread++;
    this.#trim();
    for (const wake of this.readers) wake();
  }

  /** At most `limit` records from a position on. */
  slice(from: number, limit: number): Received[] {
    const start = this.#first + Math.max(0, from - this.#low);
    return this.#records.slice(start, start + limit);
  }

  positionOf(group: string): number | undefined {
    return this.#positions.get(group);
  }

  /** Sets where a group stands. */
  mark(group: string, position: number): void {
    const before = this.unread;
    this.#positions.set(group, position);
    this.#needed = Math.min(...this.#positions.values());
    this.#room.unread += this.unread - before;
    this.#trim();
    this.#room.freed();
  }

  state(position: number): LaneState {
    return { lane: this.name, low: BigInt(this.low), position: BigInt(position), end: BigInt(this.end) };
  }

  #trim(): void {
    const low = Math.max(this.#low, Math.min(this.#needed, this.end - this.#keep));
    this.#first += low - this.#low;
    this.#low = low;
    if (this.#first < 1_000 || this.#first * 2 < this.#records.length) return;
    this.#records = this.#records.slice(this.#first);
    this.#first = 0;
  }
}
