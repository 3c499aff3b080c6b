import { expect, test } from "vitest";
import type { State } from "../../../web-status/map/answer.ts";
import { grouped } from "../../../web-status/map/grouping.ts";
import { groupsByName } from "../../../web-status/map/name-groups.ts";
import { map, stop, way } from "../../support/map.ts";

const groups = (names: string[], atMost = 40) => {
  const found = Map.groupBy(groupsByName(names, atMost), ([, group]) => group);
  return Object.fromEntries([...found].map(([group, of]) => [group, of.length]));
};
const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

test("names are alike up to a dot, a dash, an underscore or a capital", () => {
  expect(
    groups(["a.x", "a.y", "a.z", "b-x", "b-y", "b-z", "c_x", "c_y", "c_z", "MailIn", "MailOut", "MailBox"]),
  ).toEqual({
    a: 3,
    b: 3,
    c: 3,
    Mail: 3,
  });
});

test("two alike are no group, and the stop that is called like a group belongs to it", () => {
  expect(groups(["pair-a", "pair-b", "bill", "bill-pay", "bill-send", "alone", ".hidden"])).toEqual({ bill: 3 });
});

test("a group that is too large is split by what comes next; the rest of it stays together", () => {
  const shops = [...numbered("shop.cart.", 20), ...numbered("shop.mail.", 30), "shop.a", "shop.b", "shop.c"];
  expect(groups([...shops, "x", "y"])).toEqual({ "shop.cart": 20, "shop.mail": 30, shop: 3 });
  expect(groups(shops)).toEqual({ "shop.cart": 20, "shop.mail": 30, shop: 3 });
});

test("where all names begin alike and go on differently there are no groups", () => {
  expect(groups(numbered("stop-", 200))).toEqual({});
  expect(groups(numbered("Stop", 200))).toEqual({});
  expect(groups([...numbered("stop-", 190), ...numbered("Log", 3)])).toEqual({ stop: 190 });
});

const many = map(
  [
    ...numbered("pay-", 20).map((name) => stop(name)),
    ...numbered("mail-", 20).map((name, n) =>
      stop(name, n === 7 ? { state: "failing", words: "Much fails.", dead: { rate: 2, recent: 5, share: 0.5 } } : {}),
    ),
    stop("Log", { state: "idle", boards: 3 }),
  ],
  [
    way("pay-1", "pay-2"),
    way("pay-1", "mail-1", { rate: 2, p95Ms: 9, recent: 7 }),
    way("pay-3", "mail-2", { rate: 3, p95Ms: 7, recent: 8 }),
    way("mail-1", "Log", { rate: null, share: null, p95Ms: null }),
    way("mail-2", "Log", { rate: 4, old: true, share: null, p95Ms: null }),
  ],
);

test("few stops are shown each for itself, with all their ways", () => {
  const few = map([stop("pay-1"), stop("pay-2"), stop("pay-3")], [way("pay-1", "pay-2"), way("pay-2", "pay-2")]);
  const { stations, ways, open } = grouped(few, undefined);
  expect(stations.map(({ name, stops }) => [name, stops.length])).toEqual([
    ["pay-1", 1],
    ["pay-2", 1],
    ["pay-3", 1],
  ]);
  expect(ways).toHaveLength(2);
  expect(open).toBeNull();
});

test("a group is what its worst stop is, and does what all of them do", () => {
  const { stations, ways } = grouped(many, undefined);
  expect(stations.map(({ name }) => name)).toEqual(["Log", "pay", "mail"].toSorted((a, b) => order(a) - order(b)));
  const mail = stations.find(({ name }) => name === "mail")!;
  expect(mail).toMatchObject({
    state: "failing",
    brief: "1 of 20 stops",
    rate: 250,
    processed: 24_680,
    recent: 2_000,
    waiting: 0,
  });
  expect(mail.words).toBe("1 of 20 stops, such as mail-7: Much fails.");
  // Of the same messages each: the mean of their shares.
  expect(mail.dead).toEqual({ rate: 2, recent: 5, share: 0.025 });
  expect(stations.find(({ name }) => name === "pay")).toMatchObject({
    state: "running",
    brief: "20 stops",
    boards: null,
  });
  expect(ways).toEqual([
    { from: "group:pay", to: "group:mail", rate: 5, recent: 15, share: null, p95Ms: 9, old: false },
    { from: "group:mail", to: "stop:Log", rate: 4, recent: 180, share: null, p95Ms: null, old: false },
  ]);
});

const order = (name: string) => ["pay", "mail", "Log"].indexOf(name);

test("an open group is shown stop by stop; what is none is not open", () => {
  const { stations, ways, open } = grouped(many, "pay");
  expect(open).toBe("pay");
  expect(stations).toHaveLength(22);
  expect(ways).toContainEqual(expect.objectContaining({ from: "stop:pay-1", to: "group:mail", share: 0.9 }));
  expect(grouped(many, "nothing").open).toBeNull();
  expect(grouped(map([stop("pay-1")]), "pay").open).toBeNull();
});

test.each<[State[], State]>([
  [["idle", "running", "paused"], "paused"],
  [["lagging", "paused", "running"], "paused"],
  [["lagging", "failing", "held"], "held"],
  [["running", "down", "failing"], "down"],
  [["idle", "idle", "running"], "running"],
])("of %s the group is %s", (states, worst) => {
  const stops = states.map((state, n) => stop(`a-${n}`, { state }));
  const { stations } = grouped(map([...stops, stop("Log")]), undefined, 3);
  expect(stations.find(({ name }) => name === "a")).toMatchObject({ state: worst });
});
