import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

/** The table of docs/architecture.md, who may import whom, tried with the linter: file, import, allowed. */
const table: [file: string, specifier: string, allowed: boolean][] = [
  ["runtime/errors.ts", "zod", false],
  ["runtime/route.ts", "./errors.ts", true],
  ["runtime/envelope.ts", "./config.ts", false],
  ["runtime/bus.ts", "./errors.ts", false],
  ["runtime/hop.ts", "./route.ts", true],
  ["runtime/hop.ts", "kafkajs", false],
  ["runtime/hop.ts", "./buses/memory/index.ts", false],
  ["runtime/hop.ts", "./config.ts", false],
  ["runtime/middleware/retry.ts", "node:timers/promises", true],
  ["runtime/middleware/retry.ts", "../errors.ts", true],
  ["runtime/middleware/retry.ts", "../config.ts", false],
  ["runtime/metro-stop.ts", "./open.ts", true],
  ["runtime/metro-stop.ts", "./buses/kafka/index.ts", false],
  ["runtime/metro-stop.ts", "@redis/client", false],
  ["runtime/handler.ts", "./middleware/retry.ts", true],
  ["runtime/books.ts", "@redis/client", false],
  ["runtime/stuck-lanes.ts", "./buses/memory/index.ts", false],
  ["runtime/stop-options.ts", "kafkajs", false],
  ["runtime/open.ts", "./buses/kafka/index.ts", true],
  ["runtime/open.ts", "./hop.ts", false],
  ["runtime/open.ts", "kafkajs", false],
  ["runtime/letter.ts", "./error-facts.ts", true],
  ["runtime/put-off.ts", "./config.ts", false],
  ["runtime/operator-hash.ts", "./errors.ts", true],
  ["runtime/operator-hash.ts", "./settings.ts", false],
  ["runtime/commands/operator.ts", "../operator-hash.ts", true],
  ["runtime/buses/memory/index.ts", "../../bus.ts", true],
  ["runtime/buses/memory/index.ts", "kafkajs", false],
  ["runtime/buses/later/index.ts", "../../letter.ts", true],
  ["runtime/buses/later/index.ts", "../kafka/index.ts", false],
  ["runtime/buses/kafka/index.ts", "kafkajs", true],
  ["runtime/buses/kafka/index.ts", "../murmur2.ts", true],
  ["runtime/buses/kafka/index.ts", "../memory/index.ts", false],
  ["runtime/buses/kafka/index.ts", "../../config.ts", false],
  ["runtime/stats-stores/memory.ts", "@redis/client", false],
  ["runtime/stats-stores/redis.ts", "@redis/client", false],
  ["runtime/stats-stores/redis.ts", "../stats-store.ts", true],
  ["runtime/stats-stores/redis.ts", "../config.ts", false],
  ["runtime/stats-stores/memory.ts", "../redis/connection.ts", false],
  ["runtime/stats-stores/redis.ts", "../redis/connection.ts", true],
  ["runtime/trip-stores/redis.ts", "@redis/client", false],
  ["runtime/trip-stores/memory.ts", "@redis/client", false],
  ["runtime/trip-recorder.ts", "./trip-stores/memory.ts", false],
  ["runtime/run-stores/redis.ts", "@redis/client", false],
  ["runtime/run-stores/memory.ts", "@redis/client", false],
  ["runtime/bulk-runs.ts", "./run-stores/redis.ts", false],
  ["runtime/dead-letters/lease.ts", "../run-store.ts", true],
  ["runtime/once-store.ts", "./errors.ts", false],
  ["runtime/once-stores/redis.ts", "@redis/client", false],
  ["runtime/once-stores/redis.ts", "../redis/keys.ts", true],
  ["runtime/once-stores/redis.ts", "../stats-stores/redis.ts", false],
  ["runtime/once-stores/memory.ts", "@redis/client", false],
  ["runtime/redis/client.ts", "@redis/client", true],
  ["runtime/redis/connection.ts", "../config.ts", false],
  ["runtime/middleware/once.ts", "../once-stores/redis.ts", false],
  ["runtime/open.ts", "./once-stores/redis.ts", true],
  ["runtime/dead-letters.ts", "./dead-letters/act.ts", true],
  ["runtime/dead-letters.ts", "./open.ts", false],
  ["runtime/dead-letters/worker.ts", "../backoff.ts", true],
  ["runtime/dead-letters/worker.ts", "../config.ts", false],
  ["runtime/dead-letters/worker.ts", "../buses/memory/index.ts", false],
  ["runtime/commands/push.ts", "../index.ts", true],
  ["runtime/commands/demo.ts", "../../demo.ts", true],
  ["runtime/commands/push.ts", "../hop.ts", false],
  ["stops/log.ts", "metrobus", true],
  ["stops/log.ts", "./elastic.ts", true],
  ["stops/log.ts", "../runtime/hop.ts", false],
  ["busdriver/busdriver.ts", "../stops/log.ts", false],
  ["data-gen/pusher.ts", "kafkajs", false],
  ["web-status/app.ts", "express", true],
  ["web-status/app.ts", "../runtime/config.ts", false],
  ["web-status/access/access.ts", "./cookie.ts", true],
  ["web-status/access/access.ts", "../../runtime/operator-hash.ts", false],
  ["demo.ts", "./stops/log.ts", true],
  ["demo.ts", "./runtime/hop.ts", false],
  ["tests/unit/hop.test.ts", "../../runtime/hop.ts", true],
];

let folder = "";
let refused: { filename: string; line: number }[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "metrobus-lint-"));
  await cp(".oxlintrc.json", join(folder, ".oxlintrc.json"));
  for (const file of new Set(table.map(([name]) => name))) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), linesFor(file).join("\n"));
  }
  const report = await oxlint(folder);
  refused = report.diagnostics
    .filter(({ code }) => code === "eslint(no-restricted-imports)")
    .map(({ filename, labels }) => ({ filename, line: labels[0]!.span.line }));
});
afterAll(() => rm(folder, { recursive: true }));

test.each(table)("%s importing %s: allowed = %s", (file, specifier, allowed) => {
  const line = linesFor(file).indexOf(importOf(specifier)) + 1;
  expect(refused.some((at) => at.filename === file && at.line === line)).toBe(!allowed);
});

const importOf = (specifier: string) => `export * from "${specifier}";`;
const linesFor = (file: string) => table.filter(([name]) => name === file).map(([, specifier]) => importOf(specifier));

interface Report {
  diagnostics: { code: string; filename: string; labels: { span: { line: number } }[] }[];
}

/** The linter ends with 1 where it found something: what counts is its report. */
function oxlint(cwd: string): Promise<Report> {
  const program = join(import.meta.dirname, "../../node_modules/.bin/oxlint");
  return new Promise((resolve) => {
    execFile(program, ["--format=json"], { cwd }, (_error, stdout) => resolve(JSON.parse(stdout) as Report));
  });
}
