import { setImmediate as turn } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { live } from "../../../web-status/live.ts";

/** Renders 1, 2, 3 … and counts how often. */
function numbering() {
  const rendered = { times: 0 };
  return { rendered, render: async () => String(++rendered.times) };
}

const update = (html: string) => `event: update\ndata: ${JSON.stringify(html)}\n\n`;

async function read(stream: AsyncIterator<Buffer>): Promise<string> {
  return String((await stream.next()).value);
}

test("all viewers see the same updates, each made once", async () => {
  const { rendered, render } = numbering();
  const stream = live(render, { everyMs: 5 });
  const viewers = Array.from({ length: 200 }, () => stream.join().iterator({ destroyOnReturn: false }));
  const first = await Promise.all(viewers.map(read));
  expect(new Set(first)).toEqual(new Set([update("1")]));
  const made = rendered.times;
  expect(new Set(await Promise.all(viewers.map(read)))).toEqual(new Set([update("2")]));
  expect(rendered.times - made).toBeLessThan(200);
  stream.close();
});

test("nothing is read or rendered while nobody watches", async () => {
  const { rendered, render } = numbering();
  const stream = live(render, { everyMs: 1 });
  await turn();
  expect(rendered.times).toBe(0);
  const viewer = stream.join();
  await vi.waitFor(() => expect(rendered.times).toBeGreaterThan(1));
  viewer.destroy();
  await vi.waitFor(async () => {
    const before = rendered.times;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(rendered.times).toBe(before);
  });
  const before = rendered.times;
  expect(await read(stream.join().iterator())).toBe(update(String(before + 1)));
  stream.close();
});

test("a viewer that reads slowly misses updates: one event waits for it, however long", async () => {
  const { rendered, render } = numbering();
  const stream = live(render, { everyMs: 1, missedAtMost: Infinity });
  const slow = stream.join();
  await vi.waitFor(() => expect(rendered.times).toBeGreaterThan(20));
  expect(slow.readableLength).toBe(update("1").length);
  stream.close();
});

test("a viewer that has missed updates gets the present numbers, even when they have not changed since", async () => {
  let html = "old";
  const rendered = { times: 0 };
  const stream = live(async () => (rendered.times++, html), { everyMs: 1, missedAtMost: Infinity });
  const slow = stream.join();
  await vi.waitFor(() => expect(slow.readableLength).toBeGreaterThan(0));
  html = "new";
  const then = rendered.times;
  await vi.waitFor(() => expect(rendered.times).toBeGreaterThan(then + 3));
  const reading = slow.iterator();
  expect(await read(reading)).toBe(update("old"));
  expect(await read(reading)).toBe(update("new"));
  stream.close();
});

test("a viewer that takes nothing is sent away", async () => {
  const stream = live(numbering().render, { everyMs: 1, missedAtMost: 3 });
  const stuck = stream.join();
  await vi.waitFor(() => expect(stuck.destroyed).toBe(true));
  stream.close();
});

test("numbers that stay the same are not sent again", async () => {
  const stream = live(async () => "same", { everyMs: 1 });
  const viewer = stream.join().iterator();
  expect(await read(viewer)).toBe(update("same"));
  expect(await read(viewer)).toBe('event: unchanged\ndata: ""\n\n');
  stream.close();
});

test("close ends every stream, and who comes later gets none", async () => {
  const stream = live(numbering().render, { everyMs: 1 });
  const viewer = stream.join();
  const ended = new Promise((resolve) => viewer.resume().once("end", resolve));
  stream.close();
  await ended;
  expect(stream.join().destroyed).toBe(true);
});

test("a rendering that fails ends the streams, and the next viewer starts anew", async () => {
  let broken = true;
  const stream = live(async () => {
    if (broken) throw new Error("no template");
    return "fine";
  });
  const viewer = stream.join();
  const error = await new Promise<Error>((resolve) => viewer.once("error", resolve));
  expect(error.message).toBe("no template");
  broken = false;
  expect(await read(stream.join().iterator())).toBe(update("fine"));
  stream.close();
});
