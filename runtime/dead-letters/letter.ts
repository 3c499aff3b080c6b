import type { Received, RecordHeaders } from "../bus.ts";
import { payloadBytes, readEnvelope, type Envelope } from "../envelope.ts";
import { isTopic, reversed } from "../route.ts";
import type { LetterState } from "./standing.ts";

/**
 * A dead letter: the message as it came, and what is known of its failure. What stands in the dead-letter topic without
 * metrobus's headers is a letter too: its failure is empty text.
 */
export interface Letter {
  /** `<partition>-<offset>` in the dead-letter topic. */
  readonly id: string;
  readonly state: LetterState;
  /** When it failed, or else when it was written, epoch ms. */
  readonly time: number;
  /** The stop that could not handle it. */
  readonly stop: string;
  /** Where the message stood; null: nobody knows. */
  readonly from: { readonly topic: string; readonly partition: string; readonly offset: string } | null;
  readonly reason: string;
  /** The error's name, message and stack. */
  readonly error: string;
  readonly message: string;
  readonly stack: string;
  readonly attempts: number;
  /** The letter of which this is a failed replay, and how often the message has been replayed; null: it was not. */
  readonly replayOf: { readonly letter: string; readonly count: number } | null;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The message's own, without those that metrobus added. */
  readonly headers: RecordHeaders;
  /** The message's id; "": it has none yet. */
  readonly messageId: string;
  /** The stops that the message has visited, with the one it failed at, oldest first: it can be rewound to each. */
  readonly visited: readonly string[];
  /** The stops that its route names behind the one it failed at, the next one first. */
  readonly ahead: readonly string[];
  /** Of its envelope, or the whole value where it has none (null: the payload null); undefined: it is no JSON. */
  readonly payload: unknown;
  /** The payload as it stands there, to the last digit of its numbers. */
  readonly payloadJson: string | undefined;
}

const FAILURE = "dead-letter.";
const REPLAY_LETTER = "replay.letter";
const REPLAY_COUNT = "replay.count";

/** The letter that a record of the dead-letter topic is. */
export function readLetter(record: Received, state: LetterState): Letter {
  const facts = new Map(record.headers.map(([name, value]) => [name, value]));
  const fact = (name: string) => facts.get(FAILURE + name)?.toString() ?? "";
  const failedAt = Date.parse(fact("time"));
  const count = Number(facts.get(REPLAY_COUNT) ?? Number.NaN);
  const from = { topic: fact("topic"), partition: fact("partition"), offset: fact("offset") };
  return {
    id: letterId(record),
    state,
    time: Number.isNaN(failedAt) ? record.timestamp : failedAt,
    stop: fact("stop"),
    from: isTopic(from.topic) ? from : null,
    reason: fact("reason"),
    error: fact("error"),
    message: fact("message"),
    stack: fact("stack"),
    attempts: Number(fact("attempts")) || 0,
    replayOf: Number.isSafeInteger(count) ? { letter: facts.get(REPLAY_LETTER)?.toString() ?? "", count } : null,
    key: record.key,
    value: record.value,
    headers: record.headers.filter(([name]) => !isOurs(name)),
    get messageId() {
      return messageId(this);
    },
    get visited() {
      return envelopeOf(this)?.header?.historical_route.filter(isTopic) ?? [];
    },
    get ahead() {
      return reversed(envelopeOf(this)?.header?.route.filter(isTopic) ?? []);
    },
    get payload() {
      const json = this.payloadJson;
      return json === undefined ? undefined : (JSON.parse(json) as unknown);
    },
    get payloadJson() {
      return payloadJson(this);
    },
  };
}

const isOurs = (name: string) => name.startsWith(FAILURE) || name === REPLAY_LETTER || name === REPLAY_COUNT;

export const letterId = ({ lane, position }: Pick<Received, "lane" | "position">): string => `${lane}-${position}`;

/** `<partition>-<offset>`, both in numbers that Kafka could give. */
export const isLetterId = (text: string): boolean => /^\d{1,10}-\d{1,15}$/.test(text);

export function placeOf(id: string): { lane: string; position: number } {
  const [lane, position] = id.split("-");
  return { lane: lane!, position: Number(position) };
}

/** What a replay carries along, so that a letter of it knows what it is. */
export function replayHeaders({ id, replayOf }: Letter): RecordHeaders {
  const count = (replayOf?.count ?? 0) + 1;
  return [
    [REPLAY_LETTER, Buffer.from(id)],
    [REPLAY_COUNT, Buffer.from(String(count))],
  ];
}

/** The message's envelope; null: it has none, or it is malformed. */
export function envelopeOf({ id, from, time: timestamp, key, value, headers }: Message): Envelope | null {
  const { lane, position } = placeOf(id);
  const place = from
    ? { topic: from.topic, lane: from.partition, position: from.offset }
    : { topic: "", lane, position: String(position) };
  try {
    return readEnvelope({ ...place, timestamp, key, value, headers });
  } catch {
    return null;
  }
}

/** What of a letter its envelope is read from. */
type Message = Pick<Letter, "id" | "from" | "time" | "key" | "value" | "headers">;

function messageId(letter: Message): string {
  const id = envelopeOf(letter)?.header?.id ?? "";
  return id === `-${letter.id}` ? "" : id;
}

function payloadJson(letter: Message): string | undefined {
  if (letter.value === null) return "null";
  const envelope = envelopeOf(letter);
  if (envelope) return String(payloadBytes(letter.value, envelope));
  const text = String(letter.value);
  return isJson(text) ? text : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
