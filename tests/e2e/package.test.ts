import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

/** The package as a user has it: packed, installed in an empty project, with the stop that the README shows. */

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);
let project = "";

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "metrobus-package-"));
  await run(process.execPath, [join(ROOT, "scripts/build.ts")], { cwd: ROOT });
  const { stdout } = await run("npm", ["pack", join(ROOT, "dist"), "--silent"], { cwd: project });
  const { devDependencies } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  const tools = [`typescript@${devDependencies["typescript"]}`];
  await writeFile(join(project, "package.json"), JSON.stringify({ name: "bus-user", type: "module", private: true }));
  await run("npm", ["install", "--no-audit", "--no-fund", `./${stdout.trim()}`, ...tools], { cwd: project });

  await mkdir(join(project, "data"));
  await writeFile(join(project, "data/whitelist.dat"), "ann@example.com\n");
  await writeFile(join(project, "whitelist.ts"), await code("README.md", 'new MetroStop("WhiteList"'));
  await writeFile(join(project, "greet.ts"), await code("docs/write-a-stop.md", 'new MetroStop("Greet"'));
  await writeFile(join(project, "greet.test.ts"), await code("docs/write-a-stop.md", "node:test"));
  await writeFile(join(project, "try.ts"), TRY);
}, 300_000);
afterAll(() => rm(project, { recursive: true, force: true }));

/** Sends two messages through the README's stop, and prints what comes out of it. */
const TRY = `
import { connect, MetroStop } from "metrobus";
import { stop } from "./whitelist.ts";

await using bus = await connect();
const log = new MetroStop("Log", (message: object) => {
  console.log(JSON.stringify(message));
  process.kill(process.pid, "SIGTERM");
  return message;
});
const ending = Promise.all([stop.run(), log.run()]);
await bus.create(["WhiteList", "Log"]);
for (const email of ["eve@example.com", "ann@example.com"]) await bus.send("WhiteList", { email }, { route: ["Log"] });
await ending;
`;

/** The first piece of TypeScript in a page that has this text. */
async function code(page: string, text: string): Promise<string> {
  const blocks = [...(await readFile(join(ROOT, page), "utf8")).matchAll(/```ts\n(.*?)```/gs)].map(
    ([, block]) => block!,
  );
  const found = blocks.find((block) => block.includes(text));
  if (found === undefined) throw new Error(`${page} shows no code with ${text}`);
  return found;
}

const inProject = (env: Record<string, string> = {}) => ({
  cwd: project,
  env: { ...process.env, METROBUS_BUS: "memory", METROBUS_CREATE_TOPICS: "true", LOG_FORMAT: "json", ...env },
});

test("the README's stop runs: it forwards what is allowed and drops the rest", async () => {
  const { stdout } = await run(process.execPath, ["try.ts"], inProject());
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([{ email: "ann@example.com", whitelist: true }]);
});

test("as a process of its own it runs until SIGTERM, and ends with 0", async () => {
  const child = spawn(process.execPath, ["whitelist.ts"], { ...inProject(), stdio: ["ignore", "inherit", "pipe"] });
  await once(child.stderr, "data");
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("the test that docs/write-a-stop.md shows passes", async () => {
  const { stdout } = await run(process.execPath, ["--test", "greet.test.ts"], inProject({ METROBUS_STATS: "memory" }));
  expect(stdout).toMatch(/pass 1\n/);
});

test("its types are there, and sound", async () => {
  const options = ["--strict", "--module", "nodenext", "--target", "esnext", "--allowImportingTsExtensions"];
  await run("npx", ["tsc", "--noEmit", ...options, "try.ts", "greet.test.ts"], inProject());
});

test("the program comes with it, page and demo included", async () => {
  const { stdout } = await run("npx", ["metrobus", "--help"], inProject());
  for (const command of ["demo", "push", "gen", "web", "run"]) expect(stdout).toContain(`  ${command}`);
  await run("npx", ["metrobus", "gen", "--missing"], inProject({ METROBUS_DATA: "generated" }));
  expect(await readFile(join(project, "generated/emails.dat"), "utf8")).toMatch(/^1000000,\S+@\S+\n/);
});

test("nothing in it is for developers only", async () => {
  const installed = JSON.parse(await readFile(join(project, "node_modules/metrobus/package.json"), "utf8")) as object;
  expect(Object.keys(installed)).not.toContain("scripts");
  expect(Object.keys(installed)).not.toContain("devDependencies");
});

/** Mounts the page in an app of its own, and prints what it answers to a browser and to a program. */
const MOUNT = `
import { createServer } from "node:http";
import express from "express";
import { connect } from "metrobus";
import { statusPage } from "metrobus/status-page";

await using bus = await connect();
const page = await statusPage({ bus });
const server = createServer(express().use("/ops/bus", page)).listen(0);
const { port } = server.address() as { port: number };
const url = \`http://localhost:\${port}/ops/bus\`;
const html = await (await fetch(url, { headers: { accept: "text/html" } })).text();
const files = [...html.matchAll(/(?:href|src)="(\\/ops\\/bus\\/[\\w./]+\\.(?:js|css))"/g)].map(([, file]) => file);
const found = await Promise.all(files.map(async (file) => (await fetch(\`http://localhost:\${port}\${file}\`)).status));
console.log(JSON.stringify({ found, stops: (await (await fetch(\`\${url}/api/v1/stops\`)).json()).stops }));
await page.end();
server.close();
`;

test("the status page can be mounted in somebody's own Express app", async () => {
  await writeFile(join(project, "mount.ts"), MOUNT);
  const { stdout } = await run(process.execPath, ["mount.ts"], inProject());
  const { found, stops } = JSON.parse(stdout) as { found: number[]; stops: unknown[] };
  expect(found.length).toBeGreaterThan(3);
  expect(new Set(found)).toEqual(new Set([200]));
  expect(stops).toEqual([]);
});
