import { isUtf8 } from "node:buffer";
import type { Received } from "./bus.ts";
import { asError, MalformedMessage, UnusableResult } from "./errors.ts";
import { payloadSpan } from "./payload-span.ts";

/**
 * The wire format, compatible both ways with the Python original (PyPI `metrobus`): a JSON object of `header` and
 * `payload`, or `body` as its versions up to 0.0.13 have it. See docs/wire-format.md.
 */

/** The envelope's header. Fields that metrobus does not know are kept. */
export interface Header {
  /** A stack: the next stop is the last element. */
  route: readonly string[];
  /** The route as it was given, a stack too. */
  original_route: readonly string[];
  /** The stops visited and the one it is at, oldest first. */
  historical_route: readonly string[];
  id: string;
  /** When the message first met metrobus, epoch ms. */
  boarded: number;
  /** What it has been through, see `visits.ts`; what came may be anything. */
  visits?: unknown;
  [unknown: string]: unknown;
}

export type PayloadField = "payload" | "body";

export interface Envelope {
  /** null: a raw message, which has none yet. */
  readonly header: Header | null;
  readonly payload: unknown;
  readonly field: PayloadField;
  /** Fields beside header and payload, kept as they came. */
  readonly rest: Readonly<Record<string, unknown>>;
}

const NOTHING: Readonly<Record<string, unknown>> = Object.freeze({});
/** The order in which header fields are written; unknown ones follow. */
const ORDER = { route: 0, original_route: 0, historical_route: 0, id: 0, boarded: 0, visits: undefined };

/** The id of a message that has none in its header: where it first met metrobus, so the same on redelivery. */
export function firstMet(record: Received): string {
  return `${record.topic}-${record.lane}-${record.position}`;
}

/** The whole value is the payload; a null value (tombstone) is the payload null. Throws MalformedMessage. */
export function readRaw(record: Received, field: PayloadField): Envelope {
  return { header: null, payload: record.value === null ? null : parseJson(record.value), field, rest: NOTHING };
}

/** Throws MalformedMessage unless the value is an envelope with a route. */
export function readEnvelope(record: Received): Envelope {
  if (record.value === null) {
    throw new MalformedMessage(
      'the value is null (a tombstone), which carries no route: send an envelope, or read the topic with input: "raw"',
    );
  }
  const envelope = parseJson(record.value);
  if (!isObject(envelope) || !isObject(envelope["header"])) {
    throw new MalformedMessage(
      'the message has no header, so no route: send it through a busdriver, give it one as you send it ({ route: [] } ends at this stop), or read the topic with input: "raw"',
    );
  }
  const field = "payload" in envelope ? "payload" : "body";
  if (!(field in envelope)) throw new MalformedMessage("the message has a header but neither payload nor body");
  return {
    header: readHeader(envelope["header"], record),
    payload: envelope[field],
    field,
    rest: otherFields(envelope, field),
  };
}

function readHeader(found: Record<string, unknown>, record: Received): Header {
  const route = topics(found, "route");
  if (!route)
    throw new MalformedMessage("the header has no route: it must be an array of topics, [] at the end of the line");
  const historical_route = topics(found, "historical_route") ?? [record.topic];
  const original_route = topics(found, "original_route") ?? [...route, ...historical_route.toReversed()];
  const id = typeof found["id"] === "string" && found["id"] !== "" ? found["id"] : firstMet(record);
  const boarded = isTime(found["boarded"]) ? found["boarded"] : record.timestamp;
  return { ...ORDER, ...found, route, original_route, historical_route, id, boarded };
}

/** What a date can have, ±100 million days: what is beyond, as JSON may hold, is no time that anybody could tell. */
const LONGEST_MS = 8.64e15;
const isTime = (found: unknown): found is number => typeof found === "number" && Math.abs(found) <= LONGEST_MS;

function topics(header: Record<string, unknown>, name: string): string[] | undefined {
  const value = header[name];
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value) && value.every((topic) => typeof topic === "string")) return value;
  throw new MalformedMessage(`the header's ${name} is ${describe(value)}: it must be an array of strings`);
}

/** The header of a message that gets its route here. `stack` holds the stops ahead, next stop last. */
export function newHeader(id: string, boarded: number, stack: readonly string[]): Header {
  return { route: stack, original_route: stack, historical_route: [], id, boarded, visits: undefined };
}

/** The header with which a message leaves for `next`, the top of `stack`, after these `visits`. */
export function advance(header: Header, stack: readonly string[], next: string, visits = header.visits): Header {
  return { ...header, route: stack.slice(0, -1), historical_route: [...header.historical_route, next], visits };
}

/** Throws UnusableResult when the payload can't be written as JSON. */
export function writePayload(payload: unknown): string {
  const json = toJson(payload, "the payload");
  const isUnwritten = json === undefined || (typeof payload === "number" && !Number.isFinite(payload));
  if (isUnwritten)
    throw new UnusableResult(
      `the payload is ${typeof payload === "number" ? payload : `a ${typeof payload}`}, which JSON can't hold: give an object, text, a finite number or a boolean`,
    );
  return json;
}

/** Throws UnusableResult when it can't be written: a payload may hold anything, what came over the bus may be nested too deeply. */
function toJson(value: unknown, what: string): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new UnusableResult(`${what} can't be written as JSON: ${asError(error).message}`, error);
  }
}

function headOf(header: Header, field: PayloadField): string {
  return `{"header":${toJson(header, "the header")},"${field}":`;
}

export function writeEnvelope(header: Header, envelope: Pick<Envelope, "field" | "rest">, payloadJson: string): Buffer {
  const [head, end] = [headOf(header, envelope.field), tail(envelope.rest)];
  return payloadJson.length < LONG ? Buffer.from(head + payloadJson + end) : joined([head, payloadJson, end]);
}

/** From so many characters on, a text is not copied once more only to be joined with others. */
const LONG = 64 * 1024;

function joined(texts: readonly string[]): Buffer {
  const whole = Buffer.allocUnsafe(texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0));
  texts.reduce((at, text) => at + whole.write(text, at), 0);
  return whole;
}

/** Like writeEnvelope, with the payload's own bytes as they stand in `value`. */
export function writePassed(header: Header, envelope: Envelope, value: Buffer): Buffer {
  const head = Buffer.from(headOf(header, envelope.field));
  return Buffer.concat([head, payloadBytes(value, envelope), Buffer.from(tail(envelope.rest))]);
}

/** The payload as it stands in the value that the envelope was read from. */
export function payloadBytes(value: Buffer, { header, field }: Pick<Envelope, "header" | "field">): Buffer {
  return header === null ? value : value.subarray(...payloadSpan(value, field));
}

function tail(rest: Envelope["rest"]): string {
  const json = rest === NOTHING ? "{}" : toJson(rest, "what stands beside header and payload");
  return json === "{}" ? "}" : `,${json.slice(1)}`;
}

function otherFields(envelope: Record<string, unknown>, field: PayloadField): Envelope["rest"] {
  let rest: Record<string, unknown> | undefined;
  for (const name in envelope) {
    if (name !== "header" && name !== field)
      Object.defineProperty((rest ??= {}), name, { value: envelope[name], enumerable: true });
  }
  return rest ?? NOTHING;
}

function parseJson(value: Buffer): unknown {
  if (!isUtf8(value)) throw new MalformedMessage("the value is not UTF-8 text: write messages as JSON in UTF-8");
  try {
    return JSON.parse(value.toString());
  } catch (error) {
    // The engine's words quote the message itself, which may be private: keep only what comes before the quote.
    const why = (error as Error).message.replace(/, (\.\.\.)?".*/s, "").replace(/ is not valid JSON$/, "");
    throw new MalformedMessage(
      `the value is not JSON: ${why}. NaN and Infinity, which Python writes, are not JSON either`,
    );
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  return Array.isArray(value) ? "an array with something else in it" : `a ${typeof value}`;
}
