/** What is told of an error, in logs and dead letters. Reading it never throws, whatever a callback has thrown. */
export interface ErrorFacts {
  readonly name: string;
  /** At most 1 KB of UTF-8. */
  readonly message: string;
  /** At most 4 KB of UTF-8; "" when there is none. */
  readonly stack: string;
  /** "" when there is none: numbers are left out, since they say nothing without their library. */
  readonly code: string;
}

const NAME_BYTES = 256;
const MESSAGE_BYTES = 1_024;
const STACK_BYTES = 4_096;

export function factsOf(error: Error): ErrorFacts {
  return {
    name: cut(textOf(error, "name"), NAME_BYTES) || "Error",
    message: cut(textOf(error, "message"), MESSAGE_BYTES),
    stack: cut(textOf(error, "stack"), STACK_BYTES),
    code: cut(textOf(error, "code"), NAME_BYTES),
  };
}

/** A field of it that holds text, else "". */
function textOf(error: Error, field: string): string {
  try {
    const value = (error as unknown as Record<string, unknown>)[field];
    return typeof value === "string" ? value : "";
  } catch {
    return "";
  }
}

/** At most so many bytes of UTF-8, without half a character at the end. */
function cut(text: string, bytes: number): string {
  if (text.length <= bytes / 4) return text.toWellFormed();
  // No character takes less than a byte.
  const whole = Buffer.from(text.slice(0, bytes + 1));
  if (whole.length <= bytes) return text.toWellFormed();
  let end = bytes;
  while ((whole[end]! & 0xc0) === 0x80) end--;
  return whole.toString("utf8", 0, end);
}
