import type { IHeaders } from "kafkajs";
import type { RecordHeaders } from "../../bus.ts";

/**
 * kafkajs folds record headers into an object, which loses the order of those that occur twice. Beside that object its
 * messages keep the pairs, which our encoding and decoding know.
 */
const pairs = Symbol("metrobus: header pairs");

const NONE: RecordHeaders = [];
const NO_HEADERS = Object.freeze({});

/** For a message to be sent: the pairs alone. */
export function toHeaders(headers: RecordHeaders): IHeaders {
  return (headers.length === 0 ? NO_HEADERS : { [pairs]: headers }) as IHeaders;
}

/** For a message that was read: as kafkajs has them, and the pairs. */
export function readHeaders(headers: RecordHeaders): IHeaders {
  if (headers.length === 0) return {};
  const folded = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of headers) {
    const before = folded[name];
    if (before === undefined) folded[name] = value;
    else folded[name] = Array.isArray(before) ? [...(before as unknown[]), value] : [before, value];
  }
  return Object.defineProperty({ ...folded }, pairs, { value: headers }) as IHeaders;
}

/** Of a message that was read, or is to be sent by whomever. */
export function headersOf(headers: IHeaders | undefined): RecordHeaders {
  if (!headers || headers === NO_HEADERS) return NONE;
  return (headers as { [pairs]?: RecordHeaders })[pairs] ?? unfolded(headers);
}

function unfolded(headers: IHeaders): RecordHeaders {
  return Object.entries(headers).flatMap(([name, value]) => {
    const values = Array.isArray(value) ? value : [value];
    return values.map((each) => [name, typeof each === "string" ? Buffer.from(each) : (each ?? null)] as const);
  });
}
