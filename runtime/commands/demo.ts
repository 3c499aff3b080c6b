import type { Command } from "commander";
import { untilSignal } from "../index.ts";
import { positiveNumber, wholeNumber } from "./numbers.ts";
import { statusLine } from "./status-line.ts";
import { endWithStdout } from "./stdout.ts";

interface DemoFlags {
  count: number;
  rate: number;
  exit?: boolean;
  verbose?: boolean;
}

export function demoCommand(program: Command): void {
  program
    .command("demo")
    .summary("the whole pipeline in this process")
    .description(
      "Runs the stops, the pusher and the status page in this process, on the memory bus, until Ctrl-C; then says what became of every message.",
    )
    .option("--count <n>", "how many messages are pushed", wholeNumber, 1000)
    .option("--rate <n>", "messages per second; 0: as fast as it goes", positiveNumber, 10)
    .option("--exit", "end when every message has found its end")
    .option("--verbose", "print each logged message, and when stops begin and end")
    .action(async ({ count, rate, exit = false, verbose = false }: DemoFlags) => {
      endWithStdout();
      const { demo } = await import("../../demo.ts");
      const { addsUp, report } = await import("../../demo-tally.ts");
      const status = statusLine(process.stdout);
      const tally = await demo({ count, rate, exit, verbose, untilSignal: untilSignal(), status });
      console.log(report(tally));
      if (!addsUp(tally)) process.exitCode = 1;
    });
}
