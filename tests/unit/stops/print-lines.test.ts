import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { linePrinter } from "../../../stops/print-lines.ts";
import { start } from "../../support/program.ts";

const logStream = "tests/unit/stops/fixtures/log-stream.ts";
const env = { METROBUS_BUS: "memory", LOG_FORMAT: "json" };

const output = (write: (text: string) => Error | null) =>
  new Writable({ write: (chunk: Buffer, _encoding, done) => done(write(String(chunk))) });

test("lines of one turn are written in one go, in order, and are told when they are written", async () => {
  const writes: string[] = [];
  const print = linePrinter(output((text) => (writes.push(text), null)));
  const first = [print("a"), print("b")];
  expect(writes).toEqual([]);
  await Promise.all(first);
  await print("c");
  expect(writes).toEqual(["a\nb\n", "c\n"]);
});

test("a line that can't be written is a failure that may be tried again, and says why", async () => {
  const print = linePrinter(output(() => new Error("ENOSPC: no space left on device, write")));
  await expect(print("a")).rejects.toMatchObject({
    retryable: true,
    message: expect.stringMatching(/stdout \(ENOSPC.*\): make room/),
  });
});

test("when the reader of its stdout has gone, the log stop ends drained and quietly, without dead letters", async () => {
  const running = start([process.execPath, logStream], env);
  await running.printed(/"x":1,/);
  running.process.stdout!.destroy();
  const { code, stderr } = await running.ended;
  expect(code).toBe(0);
  const messages = stderr
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(messages).toEqual(["the stop has begun", "the stop has ended"]);
});

test("where stdout is full the log stop tries again and says why; it ends at SIGTERM", async () => {
  const running = start(["sh", "-c", `exec "${process.execPath}" ${logStream} >/dev/full`], env);
  await running.printed(/"attempt":2.*can't be written to stdout \(.*ENOSPC.*will be tried again/);
  running.process.kill("SIGTERM");
  expect((await running.ended).code).toBe(0);
});
