import type { Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { LaneLost, Unavailable, untilSignal } from "metrobus";

/**
 * Prints lines on a stream, all of one turn of the event loop in one write. Resolves when the line is written. Rejects
 * with Unavailable when it can't be, or, when its reader has gone (`| head`), with LaneLost: then the process ends as
 * by SIGTERM, and the line's message comes again.
 */
export function linePrinter(stream: Writable): (line: string) => Promise<void> {
  let lines: string[] = [];
  let written: Promise<void> | undefined;
  // Whoever waits for a line hears of the error.
  stream.on("error", () => {});

  async function flush(): Promise<void> {
    await nextTurn();
    const text = `${lines.join("\n")}\n`;
    lines = [];
    written = undefined;
    const error = await new Promise<Error | null | undefined>((resolve) => stream.write(text, resolve));
    if (error) throw await unwritten(error);
  }

  return (line) => {
    lines.push(line);
    return (written ??= flush());
  };
}

async function unwritten(error: NodeJS.ErrnoException): Promise<Error> {
  if (error.code === "EPIPE" && (await processEnds()))
    return new LaneLost("of the log", "nobody reads stdout any more");
  return new Unavailable(
    `the log can't be written to stdout (${error.message}): make room, or send it elsewhere`,
    error,
  );
}

/** Ends a process that drains at a signal; false: this one does not. */
async function processEnds(): Promise<boolean> {
  if (process.listenerCount("SIGTERM") === 0) return false;
  const signal = await Promise.race([untilSignal(), nextTurn(null)]);
  if (signal === null) process.emit("SIGTERM", "SIGTERM");
  await nextTurn(); // by then the stops have heard it
  return true;
}
