import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import { ConfigError } from "../errors.ts";
import { connect, untilSignal } from "../index.ts";
import { positiveNumber, wholeNumber } from "./numbers.ts";
import { statusLine } from "./status-line.ts";
import { endWithStdout } from "./stdout.ts";

interface PushFlags {
  count: number;
  rate: number;
  seed: number;
  run?: string;
}

export function pushCommand(program: Command): void {
  program
    .command("push")
    .summary("push demo messages to Source")
    .description("Pushes messages of type ALTABC to Source, keyed by account.")
    .option("--count <n>", "how many messages", wholeNumber, 1000)
    .option("--rate <n>", "messages per second; 0: as fast as it goes", positiveNumber, 10)
    .option("--seed <n>", "the same seed gives the same messages", wholeNumber, 1)
    .option("--run <id>", "sent with each message in the record header `run` (default: a random one)")
    .action(async (flags: PushFlags) => {
      endWithStdout();
      const { push } = await import("../../data-gen/pusher.ts");
      const ending = new AbortController();
      void untilSignal().then(() => ending.abort());
      await using bus = await connect();
      if (bus.config.bus === "memory")
        throw new ConfigError(["METROBUS_BUS=memory: that bus ends with this process; try `metrobus demo` instead"]);
      if (bus.config.createTopics) await bus.create(["Source"]);
      const run = flags.run ?? randomUUID();
      const status = statusLine(process.stderr);
      const sent = await push(bus, {
        ...flags,
        run,
        signal: ending.signal,
        onProgress: (count) => status.show(`run ${run}: pushed ${count} of ${flags.count}`),
      }).finally(() => status.end());
      console.log(
        `run ${run}: ${sent} ${sent === 1 ? "message" : "messages"} pushed${sent < flags.count ? `, stopped before ${flags.count}` : ""}`,
      );
    });
}
