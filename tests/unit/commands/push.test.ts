import { expect, test } from "vitest";
import { metrobus } from "../../support/program.ts";

test("push to the memory bus would push to nobody: it says so and names the demo", async () => {
  const { code, stderr } = await metrobus(["push"], { METROBUS_BUS: "memory" });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^metrobus: METROBUS_BUS=memory.*metrobus demo.*\n$/);
});
