import type { Received } from "../../runtime/bus.ts";
import { decodeFetch } from "../../runtime/buses/kafka/decoding.ts";
import { asItWas, comingBack, hasComeBack, park, unpark } from "../../runtime/buses/later/parked.ts";
import { readAction } from "../../runtime/dead-letters/actions.ts";
import { readLetter } from "../../runtime/dead-letters/letter.ts";
import { replayOf } from "../../runtime/dead-letters/replay.ts";
import { readEnvelope, readRaw, writePassed, writePayload, type Envelope } from "../../runtime/envelope.ts";
import { MalformedMessage, MetrobusError } from "../../runtime/errors.ts";
import { letterOf } from "../../runtime/letter.ts";
import { payloadSpan } from "../../runtime/payload-span.ts";
import { comesAgain, putOff } from "../../runtime/put-off.ts";
import { checked, fetchResponse, recordBatch, recordBytes } from "../support/record-batch.ts";
import { dice } from "./dice.ts";
import type { HostileRecord } from "./hostile.ts";

/** Whatever reads what comes over the bus, given a hostile record. Throws where a promise is broken. */

const RULES = { maxHops: 64, deadLetterTopic: "Error" };

export const received = ({ key, value, headers }: HostileRecord, n: number): Received => ({
  topic: "Fuzz",
  lane: "0",
  position: String(n),
  timestamp: 1_763_700_000_000,
  key,
  value,
  headers,
});

function claim(holds: boolean, what: string): void {
  if (!holds) throw new Error(`broken: ${what}`);
}

/** What it makes; null: it refused, in an error of metrobus's own. */
function made<T>(make: () => T): T | null {
  try {
    return make();
  } catch (error) {
    if (error instanceof MetrobusError) return null;
    throw error;
  }
}

/** Returns what came of reading it as an envelope. */
export function decode(hostile: HostileRecord, n: number): "read" | "malformed" {
  const record = received(hostile, n);
  const envelope = open(() => readEnvelope(record));
  if (envelope) passed(record, envelope);
  const raw = open(() => readRaw(record, "payload"));
  if (raw) made(() => writePayload(raw.payload));
  comingAndGoing(record);
  letters(record);
  return envelope ? "read" : "malformed";
}

function open(read: () => Envelope): Envelope | null {
  const envelope = made(read);
  if (!envelope?.header) return envelope;
  const { route, original_route, historical_route, id, boarded } = envelope.header;
  for (const topics of [route, original_route, historical_route])
    claim(Array.isArray(topics) && topics.every((topic) => typeof topic === "string"), "a route is an array of text");
  claim(typeof id === "string" && id !== "" && typeof boarded === "number", "there is an id, and a time");
  return envelope;
}

/** pass() gives the payload's own bytes back, and they are what was read. */
function passed(record: Received, envelope: Envelope): void {
  const value = made(() => writePassed(envelope.header!, envelope, record.value!));
  if (!value) return;
  const again = readEnvelope({ ...record, value });
  const [own, written] = [record.value!, value].map((bytes) => bytes.subarray(...payloadSpan(bytes, envelope.field)));
  claim(own!.equals(written!), "the payload's bytes are passed on as they were");
  const [before, behind] = [envelope.payload, again.payload].map((payload) => made(() => writePayload(payload)));
  claim(before === behind, "the payload that is passed on reads as it did");
  claim(again.header!.id === envelope.header!.id, "the id stays");
}

function comingAndGoing(record: Received): void {
  const again = comesAgain(record);
  if (again) {
    const { attempts, tiers, since } = again.before;
    claim([attempts, tiers, since].every(Number.isSafeInteger), "what is counted is a number");
    claim(again.record.headers.length === record.headers.length - 6, "its own headers are kept");
  }
  unpark(record);
  if (hasComeBack(record)) asItWas(record, "group");
  const out = putOff(record, { attempts: 1, tiers: 1, since: 2 }, 3);
  const back = unpark(park(out, 3, "tier"));
  claim(back?.due === 3, "what was parked is found again");
  const home = asItWas({ ...record, ...comingBack(back!.message, "group") }, "group");
  const known = comesAgain(home!);
  claim(known?.record.position === record.position && known.before.since === 2, "it comes back as it was put off");
  claim(known!.record.headers.length === record.headers.length, "with the headers that it had");
}

function letters(record: Received): void {
  const failure = { stop: "Fuzz", error: new MalformedMessage("why"), attempts: 1 };
  const written = readLetter({ ...record, ...letterOf(record, failure, "Error") }, "open");
  claim(written.value === record.value && written.key === record.key, "a letter has the message's bytes");
  claim(written.from?.offset === record.position, "and says where it stood");
  // A stranger may have written a letter too.
  const read = readLetter(record, "open");
  const { messageId, visited } = read;
  claim(typeof messageId === "string" && visited.every((stop) => typeof stop === "string"), "of a letter text is told");
  for (const change of [{}, { to: "Next", payload: "{}" }, { from: visited[0] ?? "Fuzz" }])
    made(() => replayOf(read, change, RULES));
  readAction(record);
}

/** A batch of the records as Kafka gives it, damaged: it is read whole, or it is one message that says why not. */
export async function decodeBatch(records: readonly HostileRecord[], seed: number, n: number): Promise<void> {
  const chance = dice(seed, n);
  const body = Buffer.concat(records.map((each, offsetDelta) => recordBytes({ ...each, offsetDelta })));
  const batch = recordBatch({ body, count: records.length });
  const sound = await decodeFetch(fetchResponse(batch));
  claim(sound!.responses[0]!.partitions[0]!.messages.length === records.length, "a sound batch is read whole");
  // Behind its length and format, of which a broker knows itself.
  for (let left = chance.below(4); left >= 0; left--) batch[17 + chance.below(batch.length - 17)] = chance.below(256);
  const isValid = chance.once(2);
  const decoded = await decodeFetch(fetchResponse(isValid ? checked(batch) : batch));
  const { messages } = decoded!.responses[0]!.partitions[0]!;
  const offsets = messages.map(({ offset }) => Number(offset));
  claim(
    offsets.every((offset, at) => offset > (offsets[at - 1] ?? -1)),
    "offsets go up",
  );
}
