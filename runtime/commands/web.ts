import type { Command } from "commander";
import { untilSignal } from "../index.ts";

export function webCommand(program: Command): void {
  program
    .command("web")
    .summary("serve the status page")
    .description("Serves the status page on PORT (5000), with the counts from Redis.")
    .action(async () => {
      const { startWeb } = await import("../../web-status/server.ts");
      const web = await startWeb();
      console.log(`the status page is on ${web.url}`);
      await untilSignal();
      await web.close();
    });
}
