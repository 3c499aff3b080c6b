import { isUtf8 } from "node:buffer";

/** What a terminal could take for an order, or show as something else: control characters, marks of direction, half characters. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text from anywhere, on one line, harmless on any terminal. */
export function printable(text: string): string {
  return text.replaceAll(UNSEEN, (unseen) => SHORT[unseen] ?? `\\u{${unseen.codePointAt(0)!.toString(16)}}`);
}

/** The same for JSON, which stays the JSON that it was. */
export function printableJson(value: unknown): string {
  const escaped = (unseen: string) =>
    Array.from(unseen.split(""), (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  return JSON.stringify(value).replaceAll(UNSEEN, escaped);
}

/** Bytes as text where they are UTF-8, else in hexadecimal digits. */
export function printableBytes(bytes: Buffer | null): string {
  if (!bytes) return "";
  return isUtf8(bytes) ? printable(bytes.toString()) : `0x${bytes.toString("hex")}`;
}

/** For JSON: text where they are UTF-8, else `{ base64 }`. */
export function jsonBytes(bytes: Buffer | null): string | { base64: string } | null {
  if (!bytes) return null;
  return isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString("base64") };
}

const LINE = 16;

/** Offset, bytes and what of them is ASCII, 16 a line. */
export function* hexDump(bytes: Buffer): Generator<string> {
  for (let at = 0; at < bytes.length; at += LINE) {
    const part = bytes.subarray(at, at + LINE);
    const digits = Array.from(part, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const ascii = part.toString("latin1").replaceAll(/[^ -~]/g, ".");
    yield `${at.toString(16).padStart(8, "0")}  ${digits.padEnd(LINE * 3)} ${ascii}`;
  }
}
