import { expect, test } from "vitest";
import { routes, topics } from "../../../busdriver/routes.ts";

test("ALTABC travels by AddEmail and WhiteList to Log", () => {
  expect(routes.get("ALTABC")).toEqual(["AddEmail", "WhiteList", "Log"]);
});

test("the topics are those that any route names, each once", () => {
  expect(topics.toSorted()).toEqual([...new Set([...routes.values()].flat())].toSorted());
});
