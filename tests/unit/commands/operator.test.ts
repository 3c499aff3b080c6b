import { expect, test } from "vitest";
import { signingKey } from "../../../runtime/operator-hash.ts";
import { loadConfig } from "../../../runtime/config.ts";
import { hasTerminal, start } from "../../support/program.ts";

const PASSWORD = "correct horse battery";

/** Runs `metrobus operator …` with `input` on stdin. */
function operator(args: readonly string[], input: string) {
  const running = start([process.execPath, "runtime/cli.ts", "operator", ...args]);
  running.process.stdin!.end(input);
  return running.ended;
}

async function expectOperator(line: string, name: string): Promise<void> {
  const { operators } = loadConfig({ WEB_OPERATORS: line }, {}).web;
  expect([...operators.keys()]).toEqual([name]);
  expect(await signingKey(PASSWORD, operators.get(name)!)).not.toBeNull();
}

test("the password is taken from stdin, and what is printed can be given to WEB_OPERATORS as it is", async () => {
  const { code, stdout, stderr } = await operator(["ann@example.com"], `${PASSWORD}\n`);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).not.toContain("horse");
  await expectOperator(stdout.trim(), "ann@example.com");
});

test.for([
  [[], PASSWORD, /missing required argument 'name'/],
  [["ann:x"], PASSWORD, /^metrobus: "ann:x" can't be an operator's name: .*\n$/],
  [["ann"], "", /^metrobus: the password has fewer than 12 characters: .*\n$/],
  [["ann"], "hunter2\n", /^metrobus: the password has fewer than 12 characters: .*\n$/],
  [["ann"], `${PASSWORD}\n${PASSWORD}\n`, /^metrobus: stdin has several lines: .*\n$/],
] as const)("operator %o with %j on stdin is one clear error, without the password", async ([args, input, words]) => {
  const { code, stdout, stderr } = await operator(args, input);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(words);
  expect(stderr).not.toMatch(/horse|hunter/);
});

test.skipIf(!hasTerminal()).for([
  [[PASSWORD, PASSWORD], 0, /\nann:scrypt\.\S+\s*$/],
  [[PASSWORD, "another password"], 2, /metrobus: the two passwords differ: try again/],
  [["\u0004"], 2, /metrobus: no password was given, and nothing is printed: try again/],
] as const)("on a terminal it asks twice and shows nothing of %o", async ([typed, code, printed]) => {
  const command = `exec ${process.execPath} runtime/cli.ts operator ann`;
  const running = start(["script", "-qec", command, "/dev/null"]);
  for (const [nth, line] of typed.entries()) {
    await running.printed(nth === 0 ? /Password: / : /Once more: /);
    running.process.stdin!.write(line === "\u0004" ? line : `${line}\r`);
  }
  const ended = await running.ended;
  expect(ended.code).toBe(code);
  expect(ended.stdout).toMatch(printed);
  expect(ended.stdout).not.toContain("horse");
  if (code === 0) await expectOperator(/ann:scrypt\S+/.exec(ended.stdout)![0], "ann");
});
