/**
 * `npm test`: everything that has to hold, in order; `npm test -- unit lint` runs those parts only.
 * What needs Docker or a browser where there is none is skipped and named at the end; with CI=true that is a failure.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { findChromium } from "../tests/support/chromium.ts";
import { hasCompose } from "../tests/support/compose.ts";
import { hasDocker } from "../tests/support/docker.ts";
import { FAKETIME } from "../tests/faults/kinds/clock.ts";
import { hasTerminal } from "../tests/support/program.ts";

const checks: Record<string, string[]> = {
  types: ["tsc", "--noEmit"],
  lint: ["oxlint", "--type-aware", "--deny-warnings"],
  format: ["oxfmt", "--check"],
  knip: ["knip"],
};
const projects = ["unit", "contract", "integration", "faults", "e2e"];

/** What a machine may lack: which parts then don't run as a whole, and how to come by it. */
const requirements = [
  {
    name: "a Docker engine",
    found: hasDocker,
    parts: ["contract", "integration", "faults", "e2e"],
    lost: "every test on real Kafka, Redis and OpenSearch, and the pipeline in containers",
    remedy: "install Docker and start it",
  },
  {
    name: "Docker's compose plugin",
    // Without an engine the line above has said it.
    found: async () => !(await hasDocker()) || (await hasCompose()),
    parts: ["e2e"],
    lost: "the pipeline in containers",
    remedy: "install docker compose v2",
  },
  {
    name: "a browser",
    found: hasBrowser,
    parts: ["e2e"],
    lost: "the page in Chromium",
    remedy: "install Chromium, or name one in CHROMIUM_PATH",
  },
  {
    name: "the program script of util-linux",
    found: async () => hasTerminal(),
    parts: ["e2e"],
    lost: "npm start in a terminal",
    remedy: "install util-linux",
  },
  {
    name: "libfaketime",
    // The short set of faults does without it.
    found: async () => process.env["CI"] !== "true" || FAKETIME !== undefined,
    parts: ["faults"],
    lost: "a process whose clock jumps",
    remedy: "install the package libfaketime",
  },
];

const binaries = join(import.meta.dirname, "../node_modules/.bin");
const env = {
  ...process.env,
  PATH: `${binaries}${delimiter}${process.env["PATH"]}`,
  TESTCONTAINERS_RYUK_DISABLED: "true",
};
const total = { passed: 0, failed: 0, skipped: 0 };

const parts = selectedParts(process.argv.slice(2));
for (const [name, command] of Object.entries(checks)) if (parts.includes(name)) await check(name, command);
const tests = projects.filter((name) => parts.includes(name));
if (tests.length > 0) await vitest(tests);
const ci = process.env["CI"] === "true";
const missing = await whatIsMissing();
if (ci) total.failed += missing.length;
const counts = `${total.passed} passed, ${total.failed} failed`;
const warning = `!!! NOT RUN${ci ? ", WHICH IS A FAILURE WITH CI=true" : ""}: ${missing.join("; ")}. Then run \`npm test\` again. ${total.skipped} tests were skipped.`;
// What a person has to see comes last; what CI reads, for CI.
if (missing.length === 0) console.log(counts);
else for (const line of ci ? [warning, counts] : [counts, warning]) console.log(line);
process.exitCode = total.failed > 0 ? 1 : 0;

function selectedParts(asked: string[]): string[] {
  const known = [...Object.keys(checks), ...projects];
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    console.error(`There is no part "${unknown.join('", "')}". The parts are: ${known.join(", ")}.`);
    process.exit(2);
  }
  return asked.length > 0 ? asked : known;
}

/** A check is silent when it passes. */
async function check(name: string, command: string[]): Promise<void> {
  const { code, output } = await run(command, "pipe");
  total[code === 0 ? "passed" : "failed"]++;
  console.log(code === 0 ? `✓ ${name}` : `${output}\n✗ ${name} (${command.join(" ")})`);
}

async function vitest(names: string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "metrobus-test-"));
  const report = join(folder, "report.json");
  const options = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const { code } = await run(["vitest", "run", ...options, ...names.flatMap((name) => ["--project", name])], "inherit");
  const counted = await readCounts(report);
  await rm(folder, { recursive: true });
  total.passed += counted.passed;
  total.skipped += counted.skipped;
  // A file that can't be loaded, or an error outside of any test, fails the run without a failed test.
  total.failed += code === 0 ? counted.failed : Math.max(1, counted.failed);
}

async function readCounts(report: string): Promise<typeof total> {
  const text = await readFile(report, "utf8").catch(() => "{}");
  const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0 } = JSON.parse(text) as Record<string, number>;
  return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests };
}

async function whatIsMissing(): Promise<string[]> {
  const lacking: string[] = [];
  for (const { name, found, parts: needing, lost, remedy } of requirements) {
    if (!needing.some((part) => parts.includes(part)) || (await found())) continue;
    lacking.push(`${lost} (no ${name.replace(/^an? /, "")}: ${remedy})`);
  }
  return lacking;
}

async function hasBrowser(): Promise<boolean> {
  try {
    return findChromium() !== null;
  } catch {
    return false;
  }
}

function run(command: string[], output: "inherit" | "pipe"): Promise<{ code: number | null; output: string }> {
  const child = spawn(command[0]!, command.slice(1), { env, stdio: ["ignore", output, output] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (chunk) => (text += chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output: text.trim() }));
  });
}
