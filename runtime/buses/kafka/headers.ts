import type { IHeaders } from "kafkajs";
import type { RecordHeaders } from "../../bus.ts";
import { headerPairs } from "./client-repairs.ts";

const NONE: RecordHeaders = [];

export function headersOf(headers: IHeaders | undefined): RecordHeaders {
  const pairs = headerPairs(headers);
  return pairs ? pairs.map(({ key, value }) => [key, value] as const) : NONE;
}

/**
 * Headers for kafkajs, which takes an object, and of each name a list of values that it maps to pairs: this is one list
 * that gives all pairs, so that their order is kept.
 */
class AllPairs extends Array<never> {
  readonly headers: RecordHeaders;

  constructor(headers: RecordHeaders) {
    super();
    this.headers = headers;
  }

  override map<T>(): T[] {
    return this.headers.map(([key, value]) => (value === null ? nullHeader(key) : { key, value })) as T[];
  }
}

export function toHeaders(headers: RecordHeaders): IHeaders | undefined {
  return headers.length === 0 ? undefined : { all: new AllPairs(headers) };
}

/** kafkajs takes the size of a value before it asks whether it is null, and fails on null there; it can write null. */
function nullHeader(key: string) {
  let reads = 0;
  return {
    key,
    get value() {
      return reads++ === 0 ? "" : null;
    },
  };
}
