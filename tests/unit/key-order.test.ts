import { expect, test } from "vitest";
import { keyOrder } from "../../runtime/key-order.ts";

test("any number may wait behind one of their key, and then end at once, in their order", async () => {
  const inOrder = keyOrder(8);
  const key = Buffer.from("k");
  const gate = Promise.withResolvers<void>();
  const ended: number[] = [];
  void inOrder(key, () => gate.promise);
  const many = Array.from({ length: 50_000 }, (_, n) => n);
  for (const n of many) expect(inOrder(key, () => void ended.push(n))).toBeUndefined();
  const last = Promise.withResolvers<void>();
  void inOrder(key, last.resolve);
  gate.resolve();
  await last.promise;
  expect(ended).toEqual(many);
});
