import { expect, test } from "vitest";
import { metrobus } from "../../support/program.ts";

test.for([
  [["pause"], {}, /missing required argument 'stop'/],
  [["pause", "a b"], { METROBUS_STATS: "redis" }, /^metrobus: "a b" is no topic: give .*\n$/],
  [["resume", "A"], { METROBUS_BUS: "memory" }, /^metrobus: METROBUS_STATS=memory .*set METROBUS_STATS=redis .*\n$/],
] as const)("%o with %o is one clear error", async ([args, env, words]) => {
  const { code, stderr } = await metrobus(args, env);
  expect(code).toBe(2);
  expect(stderr).toMatch(words);
});

test("with Redis away the error says so", async () => {
  const env = { METROBUS_STATS: "redis", REDIS_URL: "redis://127.0.0.1:1" };
  const { code, stdout, stderr } = await metrobus(["pause", "A"], env);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^metrobus: Redis at redis:\/\/127\.0\.0\.1:1 can't be used \(.*\n$/);
});
