import { expect, test } from "vitest";
import { age, compact, count, duration, figure, rate, share } from "../../../web-status/format.ts";

test("counts have separators", () => {
  expect([0, 999, 1_000, 1_234_567_890].map(count)).toEqual(["0", "999", "1,000", "1,234,567,890"]);
});

test("a count that needs much room is short, and there in full", () => {
  expect(figure(9_999_999_999)).toEqual({ text: "9,999,999,999" });
  expect(figure(10_000_000_000)).toEqual({ text: "10.000B", exact: "10,000,000,000" });
  expect(figure(999_999_999_999)).toEqual({ text: "999.999B", exact: "999,999,999,999" });
  expect(figure(1_234_567_890_124)).toEqual({ text: "1.234T", exact: "1,234,567,890,124" });
  expect(figure(Number.MAX_SAFE_INTEGER).text).toBe("9007.199T");
});

test("a compact count has at most six characters, and is never too high", () => {
  expect([0, 9_999, 10_000, 12_399, 999_999, 1_290_000, 1.2e9].map(compact)).toEqual([
    "0",
    "9,999",
    "10K",
    "12.3K",
    "999.9K",
    "1.2M",
    "1.2B",
  ]);
});

test("rates have a decimal only where it says something", () => {
  expect([0, 0.4, 12.5, 99.96, 1_234.4, 1_234_567].map(rate)).toEqual(["0", "0.4", "12.5", "100.0", "1,234", "1.234M"]);
});

test("only nothing is 0 % and only all is 100 %", () => {
  expect(share(0, 10)).toBe("0 %");
  expect(share(1, 3)).toBe("33.3 %");
  expect(share(1, 1_000_000)).toBe("< 0.1 %");
  expect(share(999_999, 1_000_000)).toBe("> 99.9 %");
  expect(share(7, 7)).toBe("100 %");
  expect(share(0, 0)).toBe("0 %");
});

test("durations have the unit that suits them", () => {
  expect([0.12, 3.44, 42, 1_200, 45_000, 210_000, 7_200_000, 260_000_000].map(duration)).toEqual([
    "120 µs",
    "3.4 ms",
    "42 ms",
    "1.2 s",
    "45 s",
    "3.5 min",
    "2.0 h",
    "3.0 days",
  ]);
  expect(duration(null)).toBe("–");
});

test("ages are those of a reader's clock, which may be behind", () => {
  const now = 1_800_000_000_000;
  const ages = [-5_000, 1_999, 12_000, 180_000, 7_200_000, 260_000_000].map((ms) => age(now - ms, now));
  expect(ages).toEqual(["just now", "just now", "12 s ago", "3 min ago", "2 h ago", "3 days ago"]);
  expect(age(0, now)).toBe("never");
});
