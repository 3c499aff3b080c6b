import { connect, MetroStop, routed, type StopCallback, type StopContext } from "metrobus";
import { expect, expectTypeOf, test } from "vitest";
import { z } from "zod";

/** `npx tsc` is what these tests are run by: each marked line has to be an error, each other line none. */

interface Order {
  cents: number;
}

test("the payload's type flows from the callback to the stop, and from the schema to the callback", () => {
  const typed = new MetroStop("A", (order: Order) => ({ ...order, paid: true }));
  expectTypeOf(typed).toEqualTypeOf<MetroStop<Order>>();
  expectTypeOf(typed.callback).toEqualTypeOf<StopCallback<Order>>();

  const schema = z.object({ cents: z.string().transform(Number) });
  const checked = new MetroStop(
    "A",
    (order, context) => {
      expectTypeOf(order).toEqualTypeOf<Order>();
      expectTypeOf(context).toEqualTypeOf<StopContext>();
      return order;
    },
    { schema },
  );
  expectTypeOf(checked).toEqualTypeOf<MetroStop<Order>>();

  // @ts-expect-error: the schema gives no text
  expect(new MetroStop("A", (order: { cents: string }) => order, { schema }).topic).toBe("A");
});

test("a payload that nobody has given a type is unknown", () => {
  const stop = new MetroStop("A", (message) => {
    expectTypeOf(message).toBeUnknown();
    return null;
  });
  expectTypeOf(stop).toEqualTypeOf<MetroStop>();
});

test("a forgotten return does not compile, sync or async", () => {
  const cents: number[] = [];
  const stops = [
    // @ts-expect-error: nothing is returned
    new MetroStop("A", (order: Order) => void cents.push(order.cents)),
    // @ts-expect-error: nothing is returned
    new MetroStop("A", (order: Order) => {
      cents.push(order.cents);
    }),
    // @ts-expect-error: nothing is returned
    new MetroStop("A", async (order: Order) => {
      cents.push(order.cents);
    }),
    // @ts-expect-error: nothing is returned on one way
    new MetroStop("A", (order: Order) => {
      if (order.cents > 0) return order;
    }),
  ];
  expect(stops).toHaveLength(4);
});

test("whatever a callback may return compiles", () => {
  const returns: StopCallback<Order>[] = [
    (order) => order,
    (order) => order.cents,
    () => null,
    async () => null,
    (order, context) => (order.cents > 0 ? order : context.drop("free")),
    (_order, context) => context.pass(),
    (order) => routed(order, ["B"]),
    async (order) => (order.cents > 0 ? routed(order, ["B"]) : null),
  ];
  expect(returns.map((callback) => new MetroStop("A", callback).callback)).toEqual(returns);
});

test("an option's name and kind are checked", () => {
  const callback = () => null;
  // @ts-expect-error: no such option
  expect(() => new MetroStop("A", callback, { timelimit: 5 })).toThrow("timelimit");
  // @ts-expect-error: no number
  expect(() => new MetroStop("A", callback, { concurrency: "4" })).toThrow("concurrency");
});

test("a route is an array of names", async () => {
  await using bus = await connect({ METROBUS_BUS: "memory", LOG_LEVEL: "silent" });
  // @ts-expect-error: one name is no route
  await expect(bus.send("A", {}, { route: "B" })).rejects.toThrow('"B" is no route');
});
