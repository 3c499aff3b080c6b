import { expect, test } from "vitest";
import { travelOrder } from "../../../web-status/travel-order.ts";

const order = (ways: Record<string, string[]>) =>
  travelOrder(new Map(Object.entries(ways).map(([stop, next]) => [stop, new Set(next)]))).join(" ");

test("stops stand in the order in which messages visit them", () => {
  expect(order({ AddEmail: ["WhiteList"], Log: [], Source: ["AddEmail"], WhiteList: ["Log"] })).toBe(
    "Source AddEmail WhiteList Log",
  );
});

test("a line is followed to its end before the next begins", () => {
  expect(order({ A1: ["A2"], A2: [], B1: ["B2"], B2: [] })).toBe("A1 A2 B1 B2");
});

test("a stop where lines meet comes after all that lead there", () => {
  expect(order({ Source: ["Fast", "Slow"], Fast: ["End"], Slow: ["End"], End: [] })).toBe("Source Fast Slow End");
});

test("a circle has a beginning and no stop is lost", () => {
  expect(order({ B: ["A"], A: ["B"], Source: ["A"] })).toBe("Source A B");
  expect(order({ C: ["A"], A: ["B"], B: ["C"] })).toBe("A B C");
  expect(order({ Again: ["Again"] })).toBe("Again");
});

test("stops that nothing connects come last, by name", () => {
  expect(order({ Alone: [], Zero: ["One"], One: [], Another: [] })).toBe("Zero One Alone Another");
  expect(order({ Alone: [], B: ["C"], C: ["B"] })).toBe("B C Alone");
});
