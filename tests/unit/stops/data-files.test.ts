import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { accountBook } from "../../../stops/accounts.ts";
import { readList } from "../../../stops/whitelist.ts";
import { start } from "../../support/program.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "metrobus-"));
  vi.stubEnv("METROBUS_DATA", folder);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const accountsIn = async (text: string) => {
  await writeFile(join(folder, "emails.dat"), text);
  const accounts = accountBook();
  await accounts.load();
  return accounts;
};

test.for(["1,ann@example.com\n22,müller@example.com\n", "22,müller@example.com\n1,ann@example.com"])(
  "accounts are found, in any order, with or without a newline at the end: %j",
  async (text) => {
    const accounts = await accountsIn(text);
    expect(accounts.size).toBe(2);
    expect([1, 22, 2, 0].map(accounts.get)).toEqual(["ann@example.com", "müller@example.com", undefined, undefined]);
  },
);

test("what is no account's number is not found", async () => {
  const accounts = await accountsIn("1,ann@example.com\n");
  expect(["1", null, undefined, 1.5, -1].map((odd) => accounts.get(odd as number))).toEqual(Array(5).fill(undefined));
});

test.for(["ann@example.com", "1", "", "x,ann@example.com", ",ann@example.com", "1000000,", "x".repeat(80)])(
  "a line %j that is no account with its address is an error that tells its number, quotes it and names the remedy",
  async (odd) => {
    await expect(accountsIn(`1,ann@example.com\n2,b@example.com\n${odd}\n4,d@example.com\n`)).rejects.toThrow(
      `emails.dat, line 3: ${JSON.stringify(odd)} is not "account,email": correct it, or make it anew with "metrobus gen"`,
    );
  },
);

test("of a file that is no text at all only the beginning is quoted", async () => {
  await expect(accountsIn("x".repeat(1_000_000))).rejects.toThrow(`line 1: "${"x".repeat(80)}" is not`);
});

test("a file without accounts is an error that names the remedy", async () => {
  await expect(accountsIn("")).rejects.toThrow(/emails\.dat has no accounts: make it anew with "metrobus gen"/);
});

test("an empty line of the white list lets nobody through", async () => {
  await writeFile(join(folder, "whitelist.dat"), "ann@example.com\n\neve@example.com\n");
  const list = new Set<string>();
  await readList(list);
  expect([...list]).toEqual(["ann@example.com", "eve@example.com"]);
});

test.for([
  ["stops/contact-point.ts", "emails.dat"],
  ["stops/whitelist.ts", "whitelist.dat"],
])("%s without its data ends with one clear error that names %s and how to make it", async ([file, data]) => {
  const { code, stdout, stderr } = await start([process.execPath, file!], { METROBUS_BUS: "memory" }).ended;
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain(data);
  expect(stderr).toContain("metrobus gen");
  expect(stderr).not.toContain("    at ");
});
