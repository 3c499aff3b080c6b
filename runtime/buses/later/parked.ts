import type { Message, Outgoing, Received } from "../../bus.ts";
import { isTopic } from "../../route.ts";

/** How a record stands in a tier's topic, and how it comes back: as it was, with a header or two behind its own. */

const TOPIC = "later.topic";
const DUE = "later.due";
const GROUP = "later.group";

/** The record for a tier's topic: it says where it is to be delivered, and when (epoch ms). */
export function park({ topic, key, value, headers }: Message, due: number, tier: string): Outgoing {
  const added = [[TOPIC, Buffer.from(topic)] as const, [DUE, Buffer.from(String(due))] as const];
  return { topic: tier, key, value, headers: [...headers, ...added] };
}

/** The record that was parked, and when it is due; null: something else has put it there. */
export function unpark({ key, value, headers }: Message): { message: Message; due: number } | null {
  const [topic, due] = headers.slice(-2).map(([name, text]) => ({ name, text: String(text) }));
  const isOurs = topic?.name === TOPIC && due?.name === DUE;
  if (!isOurs || !isTopic(topic.text) || !/^\d{1,15}$/.test(due.text)) return null;
  return { message: { topic: topic.text, key, value, headers: headers.slice(0, -2) }, due: Number(due.text) };
}

/** A record that comes back says for which group: other groups of its topic have it since it came first. */
export function comingBack(message: Message, group: string): Outgoing {
  return { ...message, headers: [...message.headers, [GROUP, Buffer.from(group)]] };
}

export function hasComeBack({ headers }: Message): boolean {
  return headers.length > 0 && headers.at(-1)![0] === GROUP;
}

/** The record as it was; null: it comes back for another group. */
export function asItWas(record: Received, group: string): Received | null {
  if (!hasComeBack(record)) return record;
  const isOurs = String(record.headers.at(-1)![1]) === group;
  return isOurs ? { ...record, headers: record.headers.slice(0, -1) } : null;
}
