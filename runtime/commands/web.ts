import type { Command } from "commander";
import { endWithStdout } from "./stdout.ts";

export function webCommand(program: Command): void {
  program
    .command("web")
    .summary("serve the status page")
    .description("Serves the status page on PORT (5000), with the counts from Redis.")
    .action(async () => {
      endWithStdout();
      const { serveUntilSignal } = await import("../../web-status/server.ts");
      await serveUntilSignal((text) => console.log(text));
    });
}
