import type { PayloadField } from "./envelope.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
const COMMA = 0x2c;

/**
 * Where the value of a top-level field stands in a JSON object's bytes: [start, end). The text must be valid JSON that
 * has the field; of several fields of that name the last counts, as in JSON.parse.
 */
export function payloadSpan(json: Buffer, field: PayloadField): readonly [start: number, end: number] {
  let span: readonly [number, number] | undefined;
  let at = skipSpace(json, skipSpace(json, 0) + 1);
  while (json[at] === QUOTE) {
    const nameEnd = endOfString(json, at);
    const name = JSON.parse(json.toString("utf8", at, nameEnd)) as string;
    const start = skipSpace(json, skipSpace(json, nameEnd) + 1);
    const end = endOfValue(json, start);
    if (name === field) span = [start, end];
    at = skipSpace(json, end);
    if (json[at] === COMMA) at = skipSpace(json, at + 1);
  }
  if (!span) throw new Error(`the JSON text has no field ${field}`);
  return span;
}

function skipSpace(json: Buffer, at: number): number {
  while (SPACE.has(json[at]!)) at++;
  return at;
}

function endOfString(json: Buffer, at: number): number {
  for (at++; json[at] !== QUOTE; at++) if (json[at] === BACKSLASH) at++;
  return at + 1;
}

function endOfValue(json: Buffer, at: number): number {
  let depth = 0;
  do {
    const byte = json[at]!;
    if (byte === QUOTE) at = endOfString(json, at);
    else if (OPEN.has(byte) || CLOSE.has(byte)) {
      depth += OPEN.has(byte) ? 1 : -1;
      at++;
    } else if (depth > 0) at++;
    else at = endOfScalar(json, at);
  } while (depth > 0);
  return at;
}

function endOfScalar(json: Buffer, at: number): number {
  while (at < json.length && json[at] !== COMMA && !CLOSE.has(json[at]!) && !SPACE.has(json[at]!)) at++;
  return at;
}
