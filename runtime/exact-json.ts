/**
 * What `JSON.stringify` writes with the very digits that the text has for its numbers, of which a number of JavaScript keeps
 * 16: for showing and sending on, not for reckoning. Throws SyntaxError: it is no JSON.
 */
export function exactJson(text: string): unknown {
  return JSON.parse(text, digitsKept);
}

function digitsKept(_: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === "number" && context?.source !== undefined ? rawJson(context.source) : value;
}

/** In Node since 22; TypeScript does not know it yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): object };
