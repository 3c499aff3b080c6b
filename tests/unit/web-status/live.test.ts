import { once } from "node:events";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { live, type LiveOptions } from "../../../web-status/live.ts";

/** The streams of one view. */
function one(render: () => Promise<string>, options?: LiveOptions) {
  const { join, close } = live(options);
  return { join: () => join("view", render), close };
}

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
  const stream = one(render, { everyMs: 5 });
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
  const stream = one(render, { everyMs: 1 });
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

test("after a while a stream ends and says that one is to ask again; the other viewers stay", async () => {
  const { render } = numbering();
  const stream = one(render, { everyMs: 1, stayMs: 20 });
  const told = (await stream.join().toArray()).map(String);
  expect(told.at(-1)).toBe('event: again\ndata: ""\n\n');
  const [first, second] = [stream.join(), stream.join()];
  first.destroy();
  expect((await second.toArray()).length).toBeGreaterThan(1);
  stream.close();
});

test("a viewer that does not read costs nothing once its time is over: its view is not made, its stream ends", async () => {
  const { join, close } = live({ everyMs: 1, stayMs: 200, missedAtMost: Infinity });
  const [left, watched] = [numbering(), numbering()];
  await once(join("left", left.render), "close");
  const { times } = left.rendered;
  join("watched", watched.render).resume();
  await vi.waitFor(() => expect(watched.rendered.times).toBeGreaterThan(3));
  expect(left.rendered.times).toBe(times);
  close();
});

test("a large view is made anew less often than a small one; meanwhile its viewers hear that they are not forgotten", async () => {
  const { join, close } = live({ everyMs: 1 });
  const [small, large] = [numbering(), numbering()];
  const viewer = join("large", async () => `${await large.render()}${"x".repeat(1_000_000)}`);
  const kinds = new Set<string>();
  viewer.on("data", (event: Buffer) => kinds.add(String(event.subarray(0, 16))));
  join("small", small.render).resume();
  await vi.waitFor(() => expect(small.rendered.times).toBeGreaterThan(50));
  expect(large.rendered.times).toBeLessThan(small.rendered.times / 4);
  expect(large.rendered.times).toBeGreaterThan(2);
  expect([...kinds]).toEqual([expect.stringContaining("update"), expect.stringContaining("unchange")]);
  close();
});

test("a view that takes long to make is made for a part of the time only, and anew when somebody comes", async () => {
  const { render } = numbering();
  const { join, close } = live({ everyMs: 10 });
  const kinds: string[] = [];
  const viewer = join("slow", async () => (await sleep(600), await render()));
  viewer.on("data", (event: Buffer) => kinds.push(/event: (\w+)/.exec(String(event))![1]!));
  await vi.waitFor(() => expect(kinds.filter((kind) => kind === "update").length).toBe(2), { timeout: 30_000 });
  expect(kinds.indexOf("update")).toBe(0);
  expect(kinds.lastIndexOf("update")).toBeGreaterThan(100);
  const { length } = kinds;
  expect(await read(join("slow", render).iterator())).toBe(update("3"));
  await vi.waitFor(() => expect(kinds.filter((kind) => kind === "update").length).toBe(3), { timeout: 30_000 });
  expect(kinds.lastIndexOf("update") - length).toBeLessThan(100);
  close();
});

test("a viewer that reads slowly misses updates: one event waits for it, however long", async () => {
  const { rendered, render } = numbering();
  const stream = one(render, { everyMs: 1, missedAtMost: Infinity });
  const slow = stream.join();
  await vi.waitFor(() => expect(rendered.times).toBeGreaterThan(20));
  expect(slow.readableLength).toBe(update("1").length);
  stream.close();
});

test("a viewer that has missed updates gets the present numbers, even when they have not changed since", async () => {
  let html = "old";
  const rendered = { times: 0 };
  const stream = one(async () => (rendered.times++, html), { everyMs: 1, missedAtMost: Infinity });
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
  const stream = one(numbering().render, { everyMs: 1, missedAtMost: 3 });
  const stuck = stream.join();
  await vi.waitFor(() => expect(stuck.destroyed).toBe(true));
  stream.close();
});

test("numbers that stay the same are not sent again", async () => {
  const stream = one(async () => "same", { everyMs: 1 });
  const viewer = stream.join().iterator();
  expect(await read(viewer)).toBe(update("same"));
  expect(await read(viewer)).toBe('event: unchanged\ndata: ""\n\n');
  stream.close();
});

test("close ends every stream, and who comes later gets none", async () => {
  const stream = one(numbering().render, { everyMs: 1 });
  const viewer = stream.join();
  const ended = new Promise((resolve) => viewer.resume().once("end", resolve));
  stream.close();
  await ended;
  expect(stream.join().destroyed).toBe(true);
});

test("a rendering that fails ends the streams and is told of, and the next viewer starts anew", async () => {
  let broken = true;
  const told: unknown[] = [];
  const render = async () => {
    if (broken) throw new Error("no template");
    return "fine";
  };
  const stream = one(render, { failed: (error) => told.push(error) });
  const viewer = stream.join();
  const error = await new Promise<Error>((resolve) => viewer.once("error", resolve));
  expect(error.message).toBe("no template");
  expect(told).toEqual([error]);
  broken = false;
  expect(await read(stream.join().iterator())).toBe(update("fine"));
  stream.close();
});

test("each view has its own updates; a view that takes long holds up no other", async () => {
  const { join, close } = live({ everyMs: 5 });
  const slow = join("slow", () => new Promise(() => undefined));
  const { render } = numbering();
  const quick = join("quick", render).iterator();
  expect([await read(quick), await read(quick)]).toEqual([update("1"), update("2")]);
  expect(slow.readableLength).toBe(0);
  close();
});

test("there are so many views at once and no more", async () => {
  const { join, close } = live({ viewsAtMost: 2 });
  const [first, second] = ["a", "b"].map((key) => join(key, async () => key));
  expect(join("c", async () => "c").destroyed).toBe(true);
  expect(join("b", async () => "b").destroyed).toBe(false);
  first!.destroy();
  await new Promise((resolve) => first!.once("close", resolve));
  expect(await read(join("c", async () => "c").iterator())).toBe(update("c"));
  second!.destroy();
  close();
});
