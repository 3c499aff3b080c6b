import { expect, test } from "vitest";
import { checkNodeVersion } from "../../runtime/node-version.ts";

test("a Node that is too old is told so, and how to get another one", () => {
  expect(() => checkNodeVersion("20.20.2")).toThrow(/needs Node 24 or newer, and this is 20\.20\.2: .*node@24/);
  checkNodeVersion("24.0.0");
  checkNodeVersion("100.1.0");
});
