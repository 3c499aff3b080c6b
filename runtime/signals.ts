/** npm and terminals pass one Ctrl-C on twice; what comes later is a person who does not want to wait. */
const DOUBLED_MS = 1_000;

let asked: Promise<NodeJS.Signals> | undefined;

/**
 * Resolves at the process's first SIGTERM or SIGINT, which from then on does not end it by itself. A second one, more
 * than a second after the first, ends it at once with code 130.
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  asked ??= new Promise((resolve) => {
    let first = 0;
    const on = (signal: NodeJS.Signals) => {
      if (first === 0) {
        first = Date.now();
        resolve(signal);
      } else if (Date.now() - first > DOUBLED_MS) process.exit(130);
    };
    process.on("SIGTERM", on).on("SIGINT", on);
  });
  return asked;
}
