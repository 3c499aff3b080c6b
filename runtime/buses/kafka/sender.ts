import type { Logger } from "pino";
import type { Config } from "../../config.ts";
import type { Outgoing } from "../../bus.ts";
import { asError, MetrobusError, TooLarge, UnknownTopic } from "../../errors.ts";
import type { Maybe } from "../../maybe.ts";
import type { NewClient } from "./client.ts";
import { isTooLarge, isUnknownTopic, refusal, typeOf } from "./failures.ts";
import { persist } from "./persist.ts";
import { BATCH_OVERHEAD, bytesOf, place, type Chunk } from "./place.ts";
import { NotAcknowledged, producerConnection, unwritten, type ProducerConnection } from "./producer.ts";
import type { Topic, Topics } from "./topics.ts";

/** Why records can't be sent, by record. */
export type Faults = Map<Outgoing, MetrobusError>;

export interface Sender {
  /** Why the records can't be sent: the first of them that its topic does not take. */
  fault(records: readonly Outgoing[], signal: AbortSignal): Maybe<MetrobusError | null>;
  /**
   * Resolves when all in-sync replicas have every record but those that Kafka refuses, which it returns. Tries until it
   * works; rejects only with the signal's reason.
   */
  send(records: readonly Outgoing[], signal: AbortSignal): Promise<Faults>;
  /** The client's error, with which Kafka has refused this record, in our words. */
  whyRefused(error: unknown, record: Outgoing): Promise<MetrobusError>;
  close(): Promise<void>;
}

export function createSender(newClient: NewClient, topics: Topics, config: Config, log: Logger): Sender {
  const ordinary = producerConnection(newClient);
  // Dead letters go by a producer of their own: what stops the other must not stop them.
  const letters = producerConnection(newClient);
  const producerOf = ({ topic }: { topic: string }) => (topic === config.deadLetterTopic ? letters : ordinary);

  function fault(records: readonly Outgoing[], signal: AbortSignal): Maybe<MetrobusError | null> {
    for (const record of records) {
      const topic = topics.known(record.topic);
      if (!topic || sizeFault(record, topic)) return askedFault(records, signal);
    }
    return null;
  }

  /** Nothing is refused for what a topic was minutes ago. */
  async function askedFault(records: readonly Outgoing[], signal: AbortSignal): Promise<MetrobusError | null> {
    for (const record of records) {
      try {
        if (!sizeFault(record, await ask(record.topic, topics.find, signal))) continue;
        const tooLarge = sizeFault(record, await ask(record.topic, topics.fresh, signal));
        if (tooLarge) return tooLarge;
      } catch (error) {
        signal.throwIfAborted();
        return error as MetrobusError;
      }
    }
    return null;
  }

  /** Throws only what no further attempt can heal. */
  function ask(topic: string, how: Topics["find"], signal: AbortSignal): Promise<Topic> {
    const failed = (error: unknown) => {
      if (error instanceof MetrobusError) throw error;
    };
    return persist(() => how(topic), { what: `asking Kafka for topic "${topic}"`, log, signal, failed });
  }

  async function send(records: readonly Outgoing[], signal: AbortSignal): Promise<Faults> {
    const faults: Faults = new Map();
    const parts = [
      records.filter((record) => producerOf(record) === ordinary),
      records.filter((record) => producerOf(record) === letters),
    ];
    await Promise.all(parts.map((part) => sendPart(part, faults, signal)));
    return faults;
  }

  async function sendPart(records: readonly Outgoing[], faults: Faults, signal: AbortSignal): Promise<void> {
    if (records.length === 0) return;
    // All were known when `fault` asked.
    const gone = records.filter(({ topic }) => !topics.known(topic));
    for (const record of gone) faults.set(record, new UnknownTopic(record.topic));
    const there = gone.length === 0 ? records : records.filter((record) => !faults.has(record));
    await sendPlaced(producerOf(records[0]!), there, faults, signal);
  }

  async function sendPlaced(
    producer: ProducerConnection,
    records: readonly Outgoing[],
    faults: Faults,
    signal: AbortSignal,
  ): Promise<void> {
    for (const round of place(records, topics.known)) await sendRound(producer, round, faults, signal);
  }

  async function sendRound(
    producer: ProducerConnection,
    round: readonly Chunk[],
    faults: Faults,
    signal: AbortSignal,
  ): Promise<void> {
    let rest = round;
    const failed = async (error: unknown) => {
      rest = unwritten(rest, error);
      if (isTooLarge(error) || refusal(error, "")) throw error;
      if (!isUnknownTopic(error) && !(error instanceof NotAcknowledged)) return;
      for (const { topic } of rest) await stillThere(topic);
      if (rest.some(isBeyond)) throw error;
    };
    try {
      await persist(() => producer.send(rest), { what: "sending to Kafka", log, signal, failed });
    } catch (error) {
      signal.throwIfAborted();
      const beyond = rest.filter(isBeyond);
      if (beyond.length > 0) {
        const records = beyond.flatMap((chunk) => chunk.records);
        await sendPlaced(producer, records, faults, signal);
        const others = rest.filter((chunk) => !beyond.includes(chunk));
        return others.length > 0 ? await sendRound(producer, others, faults, signal) : undefined;
      }
      const [first] = rest;
      const parts = halves(rest);
      const all = parts.length === 0 || (rest.length === 1 && concernsTopic(error));
      if (!all) for (const part of parts) await sendRound(producer, part, faults, signal);
      else for (const record of first!.records) faults.set(record, await whyRefused(error, record));
    }
  }

  /** The topic was made anew meanwhile, with fewer partitions. */
  function isBeyond({ topic, partition }: Chunk): boolean {
    const found = topics.known(topic);
    return found !== undefined && partition >= found.partitions;
  }

  async function stillThere(topic: string): Promise<void> {
    await topics.refresh(topic).catch((error: unknown) => {
      if (error instanceof MetrobusError) throw error;
    });
  }

  async function whyRefused(error: unknown, record: Outgoing): Promise<MetrobusError> {
    if (isTooLarge(error)) {
      const topic = await topics.refresh(record.topic).catch(() => topics.known(record.topic));
      return new TooLarge(record.topic, bytesOf(record) + BATCH_OVERHEAD, topic?.maxBytes ?? 0);
    }
    if (error instanceof MetrobusError) return error;
    return refusal(error, record.topic) ?? new MetrobusError(asError(error).message);
  }

  async function close(): Promise<void> {
    await Promise.all([ordinary.close(), letters.close()]);
  }
  return { fault, send, whyRefused, close };
}

/** The topic takes none of its records, so that there is no one to look for. */
function concernsTopic(error: unknown): boolean {
  return error instanceof UnknownTopic || typeOf(error) === "TOPIC_AUTHORIZATION_FAILED";
}

/** The fields alone, without any overhead: what is above the limit so is above it in any case; the broker judges the rest. */
function sizeFault(record: Outgoing, { maxBytes }: Topic): TooLarge | null {
  const bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0);
  return bytes > maxBytes ? new TooLarge(record.topic, bytes, maxBytes) : null;
}

/** What Kafka refuses is looked for by halving: first the chunks, then the records of the one chunk. */
function halves(round: readonly Chunk[]): (readonly Chunk[])[] {
  const [only] = round;
  if (round.length > 1) return [round.slice(0, round.length >> 1), round.slice(round.length >> 1)];
  if (!only || only.records.length < 2) return [];
  const middle = only.records.length >> 1;
  return [only.records.slice(0, middle), only.records.slice(middle)].map((records) => [{ ...only, records }]);
}
