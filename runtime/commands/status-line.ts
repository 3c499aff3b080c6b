/**
 * A line that says how it goes: on a terminal rewritten in place; elsewhere a line each, at most one a second, so that
 * a log stays readable. `end` leaves the last one standing.
 */
export function statusLine(stream: NodeJS.WriteStream) {
  let latest = "";
  let shown = "";
  let shownAt = 0;
  const write = () => {
    if (stream.isTTY) stream.write(`\r\u001B[2K${fitting(latest, (stream.columns || 80) - 1)}`);
    else stream.write(`${latest}\n`);
    shown = latest;
    shownAt = Date.now();
  };
  return {
    show(text: string): void {
      latest = text;
      if (stream.isTTY || Date.now() - shownAt >= 990) write();
    },
    /** A line that stays, above the status. */
    print(text: string): void {
      stream.write(stream.isTTY ? `\r\u001B[2K${text}\n` : `${text}\n`);
      if (stream.isTTY && latest) write();
    },
    end(): void {
      if (latest !== shown) write();
      if (stream.isTTY && latest) stream.write("\n");
      latest = shown = "";
    },
  };
}

/** Cut before a part that would not fit: half a number would be another one. */
function fitting(text: string, width: number): string {
  if (text.length <= width) return text;
  const end = text.lastIndexOf(" · ", width - 2);
  return end > 0 ? `${text.slice(0, end)} …` : text.slice(0, width);
}
