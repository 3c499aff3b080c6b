import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RouteError } from "../../runtime/errors.ts";
import { checkHops, checkRoute, checkTopic, nextStop, reversed } from "../../runtime/route.ts";

const rules = { maxHops: 64, deadLetterTopic: "Error" };

describe("the route", () => {
  test("is visited in the order it was written in, through a stack", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (travel) => {
        const visited: string[] = [];
        for (let stack = reversed(travel); stack.length > 0; stack = stack.slice(0, -1)) visited.push(nextStop(stack)!);
        expect(visited).toEqual(travel);
      }),
    );
  });

  test.each(["", ".", "..", "a b", "ü", "x".repeat(250), "a/b", "a\n", 7, null, "Error"])(
    "may not lead to %j",
    (topic) => {
      expect(() => checkTopic(topic, rules)).toThrow(RouteError);
    },
  );

  test.each(["Log", "a.b-c_d", "x".repeat(249), "..."])("may lead to %j", (topic) => {
    expect(() => checkTopic(topic, rules)).not.toThrow();
  });

  test("has at most as many stops as allowed, those visited included", () => {
    expect(() => checkHops(60, 4, rules)).not.toThrow();
    expect(() => checkHops(60, 5, rules)).toThrow(/65 stops .*METROBUS_MAX_HOPS/);
    expect(() => checkRoute(Array(64).fill("Log"), 1, rules)).toThrow(RouteError);
  });
});
