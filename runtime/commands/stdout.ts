import { untilSignal } from "../index.ts";

/**
 * When stdout can't be written any more the command ends as by a signal, drained: quietly when its reader has gone
 * (`| head`), else with one line on stderr and exit code 1.
 */
export function endWithStdout(): void {
  let ending = false;
  void untilSignal().then(() => (ending = true));
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (ending) return;
    ending = true;
    if (error.code !== "EPIPE") {
      console.error(`metrobus: stdout can't be written (${error.message}): make room, or send it elsewhere`);
      process.exitCode = 1;
    }
    process.emit("SIGTERM", "SIGTERM");
  });
}
