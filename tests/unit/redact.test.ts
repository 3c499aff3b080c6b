import { expect, test } from "vitest";
import { redactor } from "../../runtime/redact.ts";

const R = "[redacted]";

test.each([
  ["a name", "email", { email: "a@b", to: { email: "c@d" } }, { email: R, to: { email: "c@d" } }],
  [
    "a path",
    "card.number",
    { card: { number: 1, name: "x" }, number: 2 },
    { card: { number: R, name: "x" }, number: 2 },
  ],
  ["what is an object", "card", { card: { number: 1 } }, { card: R }],
  ["any name", "*.email", { a: { email: 1, b: 2 }, email: 3 }, { a: { email: R, b: 2 }, email: 3 }],
  ["all below", "card.*", { card: { number: 1, name: 2 } }, { card: { number: R, name: R } }],
  [
    "through arrays",
    "items.price",
    { items: [{ price: 1 }, [{ price: 2 }], 3] },
    { items: [{ price: R }, [{ price: R }], 3] },
  ],
  ["an array at the top", "email", [{ email: 1 }, { name: 2 }], [{ email: R }, { name: 2 }]],
  [
    "several",
    "email, card.number,card.name",
    { email: 1, card: { number: 1, name: 2, kind: 3 } },
    { email: R, card: { number: R, name: R, kind: 3 } },
  ],
  ["a shorter path and a longer one", "card.number,card", { card: { number: 1 } }, { card: R }],
  ["what is not there", "email.address", { email: "a@b" }, { email: "a@b" }],
  ["a number", "email", 7, 7],
  ["null", "email", null, null],
])("leaves out %s", (_, paths, payload, left) => {
  expect(JSON.parse(redactor(paths.split(",").map((path) => path.trim()))(payload))).toEqual(left);
});

test("a payload with names that every object has keeps them, and changes nothing else", () => {
  const hostile = JSON.parse('{"__proto__":{"email":1},"constructor":{"email":2},"email":3}') as unknown;
  expect(redactor(["email"])(hostile)).toBe(`{"__proto__":{"email":1},"constructor":{"email":2},"email":"${R}"}`);
  expect(redactor(["__proto__.email"])(hostile)).toContain(`"__proto__":{"email":"${R}"}`);
  expect(({} as Record<string, unknown>)["email"]).toBeUndefined();
});

test("without paths it writes all", () => {
  expect(redactor([])({ a: [1, { b: null }] })).toBe('{"a":[1,{"b":null}]}');
});
