import { expect, test } from "vitest";
import { accounts, emailOf } from "../../../data-gen/accounts.ts";
import { orders } from "../../../data-gen/pusher.ts";
import { whitelist } from "../../../data-gen/whitelist.ts";

test("the accounts lie from 1000000 to 1999999, 1 to 5 apart, about 333,000", () => {
  const numbers = [...accounts(1)].map((line) => Number(line.split(",")[0]));
  const steps = new Set(numbers.slice(1).map((number, index) => number - numbers[index]!));
  expect([...steps].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
  expect(numbers[0]).toBe(1_000_000);
  expect(numbers.at(-1)).toBeGreaterThan(1_999_994);
  expect(numbers.at(-1)).toBeLessThan(2_000_000);
  expect(numbers.length).toBeGreaterThan(330_000);
  expect(numbers.length).toBeLessThan(337_000);
});

test("the files are the same on every machine", () => {
  expect([...accounts(1).take(3)]).toEqual([
    "1000000,bob.1000000@example.com",
    "1000002,dan.1000002@example.com",
    "1000006,hugo.1000006@example.com",
  ]);
  expect([...whitelist(1).take(2)]).toEqual(["cleo.1000001@example.com", "eve.1000003@example.com"]);
  expect([...orders(1).take(2)].map((order) => order.account_number)).toEqual([1483644, 1889762]);
});

test("the white list has 500,000 different addresses", () => {
  const list = [...whitelist(1)];
  expect(list).toHaveLength(500_000);
  expect(new Set(list).size).toBe(500_000);
});

test("about a third of the pushed accounts are known, and about half of those are on the list", () => {
  const known = new Set([...accounts(1)].map((line) => Number(line.split(",")[0])));
  const list = new Set(whitelist(1));
  const pushed = [...orders(1).take(1000)].map((order) => order.account_number);
  const found = pushed.filter((account) => known.has(account));
  const listed = found.filter((account) => list.has(emailOf(account)));
  expect(found.length / pushed.length).toBeCloseTo(1 / 3, 1);
  expect(listed.length / found.length).toBeCloseTo(1 / 2, 1);
});

test("x counts up, the type is ALTABC and the account is one of a million", () => {
  for (const [index, order] of [...orders(7).take(1000)].entries()) {
    expect(order).toEqual({ x: index, message_type_code: "ALTABC", account_number: expect.any(Number) });
    expect(order.account_number).toBeGreaterThanOrEqual(1_000_000);
    expect(order.account_number).toBeLessThanOrEqual(1_999_999);
  }
});
