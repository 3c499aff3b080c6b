import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Ajv2020 } from "ajv/dist/2020.js";
import express from "express";
import { connect, hashPassword } from "metrobus";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { statusPage } from "../../web-status/page.ts";
import type { LettersAnswer } from "../../web-status/letters/list.ts";
import type { StopAnswer } from "../../web-status/stop/answer.ts";
import { startWeb } from "../../web-status/server.ts";
import type { TripsAnswer } from "../../web-status/trips/find.ts";
import type { TripAnswer } from "../../web-status/trips/trip.ts";
import { json, line } from "../support/line.ts";
import { basic, operated, PASSWORD, type Operated } from "../support/operated.ts";
import { eventually } from "../support/probe.ts";
import { start } from "../support/program.ts";

const [brokers, redis] = [inject("kafka"), inject("redis")];

interface Operation {
  readonly parameters: readonly { name: string; in: string; required: boolean; schema: object }[];
  readonly security?: readonly object[];
  readonly responses: Readonly<Record<string, { content: { "application/json": { schema: object } } }>>;
}
interface Document {
  readonly servers: readonly { url: string }[];
  readonly paths: Readonly<Record<string, { get?: Operation; post?: Operation }>>;
}

describe.skipIf(!brokers || !redis)("the page's API on Kafka and Redis (needs Docker)", () => {
  let scene: Operated;
  let document: Document;
  /** A value for each parameter of a path. */
  let values: Record<string, string>;

  beforeAll(async () => {
    scene = await operated({ brokers: brokers!, redis: redis!, database: 12 }, { METROBUS_TRIPS: "payload" });
    const { line, topic, ask, web } = scene;
    const [stop, end] = [topic("Work"), topic("End")];
    await line.stop(stop, ({ n }: { n: number }) => {
      if (n === 2) throw new RangeError("two is too much");
      return { n };
    });
    await line.stop(end, (message: object) => message);
    for (let n = 0; n < 4; n++) await line.metro.send(stop, { n }, { key: `key-${n}`, route: [end] });
    await eventually(async () => (await ask<LettersAnswer>("/api/v1/letters")).letters?.length === 1);
    await eventually(async () => (await line.counts(end))["arrived"]?.[""] === 3);
    const { letters } = await ask<LettersAnswer>("/api/v1/letters");
    const run = await ask<{ id: string }>("/api/v1/letters/replay", { reason: "no such reason" });
    await ask(`/api/v1/stops/${end}/pause`, {});
    values = { stop, "/letters/{id}": letters![0]!.id, "/trips/{id}": letters![0]!.messageId, "/runs/{id}": run.id };
    document = (await (await fetch(`${web.url}/api/openapi.json`)).json()) as Document;
  });
  afterAll(() => scene?.[Symbol.asyncDispose]());

  const validator = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, validateFormats: false });
  /** What is wrong with an answer by the document; null: nothing. */
  function faults(operation: Operation, status: number, answer: unknown): string | null {
    const documented = operation.responses[status];
    if (!documented) return `${status} is not in the document`;
    const validate = validator.compile(documented.content["application/json"].schema);
    return validate(answer) ? null : validator.errorsText(validate.errors);
  }
  const addressOf = (path: string) =>
    `${scene.web.url}/api/v1${path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? values[path]!))}`;
  const gets = () => Object.entries(document.paths).flatMap(([path, { get }]) => (get ? [{ path, get }] : []));
  const ask = async (url: string, init: RequestInit = {}) => {
    const response = await fetch(url, init);
    return { status: response.status, answer: (await response.json()) as unknown };
  };

  test("every GET of the document is answered as it says", async () => {
    expect(new URL(document.servers[0]!.url, `${scene.web.url}/api/openapi.json`).pathname).toBe("/api/v1");
    expect(
      gets()
        .map(({ path }) => path)
        .toSorted(),
    ).toEqual([
      "/audit",
      "/letters",
      "/letters/{id}",
      "/map",
      "/runs/{id}",
      "/send",
      "/stops",
      "/stops/{stop}",
      "/trips",
      "/trips/{id}",
    ]);
    for (const { path, get } of gets()) {
      const { status, answer } = await ask(addressOf(path), { headers: { authorization: basic("ann") } });
      expect({ path, status, faults: faults(get, status, answer) }).toEqual({ path, status: 200, faults: null });
      expect(get.parameters.filter((each) => each.required).map((each) => each.in)).toEqual(
        path.includes("{") ? ["path"] : [],
      );
    }
  });

  test("who is not logged in gets what the document says is for all, and 403 for the rest", async () => {
    for (const { path, get } of gets()) {
      const { status, answer } = await ask(addressOf(path));
      expect({ path, status, faults: faults(get, status, answer) }).toEqual({
        path,
        status: get.security ? 403 : 200,
        faults: null,
      });
    }
  });

  test("what the newest letter of a group said is told to who may see what messages hold", async () => {
    const told = async (headers: Record<string, string>) => {
      const { answer } = await ask(`${scene.web.url}/api/v1/letters`, { headers });
      return (answer as LettersAnswer).groups.map(({ reason, lastMessage }) => ({ reason, lastMessage }));
    };
    expect(await told({ authorization: basic("ann") })).toEqual([
      { reason: "RangeError", lastMessage: "two is too much" },
    ]);
    expect(await told({})).toEqual([{ reason: "RangeError", lastMessage: null }]);
    const named = async (errorName: string) =>
      (await scene.ask<LettersAnswer>(`/api/v1/letters?${new URLSearchParams({ errorName }).toString()}`)).letters!
        .length;
    expect([await named("RangeError"), await named("Range")]).toEqual([1, 0]);
  });

  test("the stops of letters' routes, visited or ahead, are offered to who may act on them", async () => {
    const { line, topic } = scene;
    const [before, end, stop] = [topic("Before"), topic("End"), values["stop"]!];
    await line.stop(before, (message: object) => message);
    await line.metro.send(before, { n: 2 }, { key: "key-before", route: [stop] });
    const stops = async (headers: Record<string, string>) =>
      ((await ask(`${scene.web.url}/api/v1/letters`, { headers })).answer as LettersAnswer).stops;
    const operator = { authorization: basic("ann") };
    await eventually(async () => (await stops(operator)).includes(before));
    expect([await stops(operator), await stops({})]).toEqual([[before, end, stop], []]);
  });

  test("a bulk run tells on to which stops it sends, and none goes to what is no topic", async () => {
    const form = (route: string) =>
      fetch(`${scene.web.url}/api/v1/letters/replay`, {
        method: "POST",
        headers: { authorization: basic("ann"), "content-type": "application/json" },
        body: JSON.stringify({ reason: "no such reason", route }),
      });
    for (const [text, route] of [
      ["", null],
      [" ", null],
      [" A ,B", ["A", "B"]],
    ] as const)
      expect(await (await form(text)).json()).toMatchObject({ route });
    const refused = await form("no topic");
    expect([refused.status, await refused.text()]).toEqual([422, expect.stringContaining("is no topic name")]);
  });

  test("whose letters a bulk run is about is for those to see who may see what messages hold", async () => {
    const { ask: asAnn, web } = scene;
    const personal = { key: "joe@example.com", messageId: "order of joe", error: "joe is unknown" };
    const why = "joe asked for it";
    const { id } = await asAnn<{ id: string }>("/api/v1/letters/discard", { ...personal, reason: "none", why });
    const told = async (path: string, headers: Record<string, string>) =>
      await (await fetch(web.url + path, { headers })).text();
    for (const path of [`/api/v1/runs/${id}`, "/api/v1/letters", `/runs/${id}`]) {
      const isPage = path.startsWith("/runs");
      const accept = isPage ? "text/html" : "application/json";
      const toAll = await told(path, { accept });
      expect.soft([path, toAll.includes("none"), toAll.includes("joe")]).toEqual([path, true, false]);
      if (isPage) continue; // logged in by a cookie
      const whole = await told(path, { accept, authorization: basic("ann") });
      for (const word of [...Object.values(personal), why])
        expect.soft([path, word, whole.includes(word)]).toEqual([path, word, true]);
    }
  });

  test("a body that is not understood does nothing, and all letters are meant only where that is said", async () => {
    const send = async (deed: "replay" | "discard", type: string, body: string) => {
      const headers = { authorization: basic("ann"), "content-type": type };
      const url = `${scene.web.url}/api/v1/letters/${deed}`;
      const { status, answer } = await ask(url, { method: "POST", headers, body });
      return [status, (answer as { error?: string }).error ?? ""] as const;
    };
    const runs = async () => (await scene.ask<LettersAnswer>("/api/v1/letters")).runs.map(({ id }) => id);
    const before = await runs();
    const charge = JSON.stringify({ stop: "Charge" });
    for (const [deed, type, body, status, words] of [
      ["discard", "application/json", JSON.stringify({ ids: ["0-1"], why: "no" }), 400, "ids"],
      ["replay", "application/x-www-form-urlencoded", charge, 400, "Charge"],
      ["replay", "text/plain", charge, 415, "text/plain"],
      ["replay", "application/json", "{}", 422, "all: true"],
    ] as const)
      expect.soft(await send(deed, type, body)).toEqual([status, expect.stringContaining(words)]);
    expect(await runs()).toEqual(before);
    const none = JSON.stringify({ all: true, state: "replayed", why: "no" });
    expect(await send("discard", "application/json", none)).toEqual([200, ""]);
  });

  test("errors are as the document has them", async () => {
    const headers = { authorization: basic("ann"), "content-type": "application/json" };
    const nobody = { authorization: `Basic ${Buffer.from("ann:wrong password").toString("base64")}` };
    const { paths } = document;
    const v1 = `${scene.web.url}/api/v1`;
    const post = (body: object) => ({ method: "POST", headers, body: JSON.stringify(body) });
    const letter = `/letters/${values["/letters/{id}"]}`;
    const cases: [operation: Operation, url: string, init: RequestInit, status: number, words: string][] = [
      [paths["/letters"]!.get!, "/letters?state=lost", { headers }, 400, "state"],
      [paths["/stops/{stop}"]!.get!, "/stops/Nowhere", { headers }, 404, 'no stop "Nowhere"'],
      [paths["/letters/{id}"]!.get!, "/letters/0-999999", { headers }, 404, "no dead letter 0-999999"],
      [paths["/letters/{id}"]!.get!, "/letters/nonsense", { headers }, 422, "no letter's id"],
      [paths["/runs/{id}"]!.get!, "/runs/none", { headers }, 404, "no bulk run none"],
      [paths["/trips/{id}"]!.get!, "/trips/none", { headers }, 404, "no message none"],
      [paths["/audit"]!.get!, "/audit", { headers: nobody }, 401, "password"],
      [paths["/send"]!.post!, "/send", post({ topic: "x", payload: "{" }), 409, "not JSON"],
      [paths["/send"]!.post!, "/send", post({ topic: "no topic", payload: "{}" }), 422, "no topic"],
      [paths["/send"]!.post!, "/send", post({}), 400, "topic"],
      [paths["/send"]!.post!, "/send", { ...post({}), body: '{"topic":' }, 400, "is none"],
      [paths["/send"]!.post!, "/send", post({ topic: "x", payload: "x".repeat(9_000_000) }), 413, "larger than 8MB"],
      [paths["/letters/{id}/discard"]!.post!, `${letter}/discard`, post({}), 400, "reason"],
      [paths["/letters/{id}/replay"]!.post!, `${letter}/replay`, post({ payload: "{" }), 409, "JSON"],
      [paths["/letters/{id}/replay"]!.post!, `${letter}/replay`, post({ from: "Elsewhere" }), 409, "Elsewhere"],
    ];
    for (const [operation, path, init, expected, words] of cases) {
      const { status, answer } = await ask(v1 + path, init);
      expect
        .soft({ path, status, faults: faults(operation, status, answer) })
        .toEqual({ path, status: expected, faults: null });
      expect.soft((answer as { error: string }).error).toContain(words);
    }
  });

  test("every POST of the document is answered as it says", async () => {
    const { line: bus, ask: asAnn, topic } = scene;
    const stop = topic("Fails");
    await bus.stop(stop, () => {
      throw new Error("it always fails");
    });
    for (const key of ["one", "two"]) await bus.metro.send(stop, {}, { key });
    const failed = async () => (await asAnn<LettersAnswer>(`/api/v1/letters?stop=${stop}`)).letters ?? [];
    await eventually(async () => (await failed()).length === 2);
    const [one, two] = (await failed()).map(({ id }) => id);
    const bodies: Record<string, [path: string, body: object]> = {
      "/send": ["/send", { topic: topic("Nobody"), payload: "{}" }],
      "/letters/{id}/replay": [`/letters/${one}/replay`, {}],
      "/letters/{id}/discard": [`/letters/${two}/discard`, { reason: "no use" }],
      "/letters/replay": ["/letters/replay", { stop, reason: "none such" }],
      "/letters/discard": ["/letters/discard", { stop, reason: "none such", why: "no use" }],
      "/runs/{id}/stop": [`/runs/${values["/runs/{id}"]}/stop`, {}],
      "/stops/{stop}/pause": [`/stops/${stop}/pause`, {}],
      "/stops/{stop}/resume": [`/stops/${stop}/resume`, {}],
    };
    await bus.metro.create([topic("Nobody")]);
    const posts = Object.entries(document.paths).flatMap(([path, { post }]) => (post ? [{ path, post }] : []));
    expect(posts.map(({ path }) => path).toSorted()).toEqual(Object.keys(bodies).toSorted());
    const headers = { authorization: basic("ann"), "content-type": "application/json" };
    for (const { path, post } of posts) {
      const [to, body] = bodies[path]!;
      const init = { method: "POST", headers, body: JSON.stringify(body) };
      const { status, answer } = await ask(`${scene.web.url}/api/v1${to}`, init);
      expect
        .soft({ path, status, answer, faults: faults(post, status, answer) })
        .toEqual({ path, status: 200, answer, faults: null });
    }
  });

  test("a bulk run that is told to stop asks for no more letters, and says how many were done", async () => {
    const { line: bus, ask: asAnn, topic, web } = scene;
    const stop = topic("Bulk");
    await bus.stop(stop, () => {
      throw new Error("it always fails");
    });
    for (let n = 0; n < 30; n++) await bus.metro.send(stop, { n });
    const open = async () => (await asAnn<LettersAnswer>(`/api/v1/letters?stop=${stop}&state=open`)).letters!.length;
    await eventually(async () => (await open()) === 30);
    const filter = { stop, rate: 2, why: "to be stopped" };
    const { id } = await asAnn<{ id: string }>("/api/v1/letters/discard", filter);
    const told = () => asAnn<{ state: string; report: { done: number } }>(`/api/v1/runs/${id}`);
    await eventually(async () => (await told()).report.done > 0);
    const stopped = await fetch(`${web.url}/api/v1/runs/${id}/stop`, {
      method: "POST",
      headers: { authorization: basic("bob"), "content-type": "application/json" },
    });
    expect(stopped.status).toBe(200);
    await eventually(async () => (await told()).state === "stopped");
    const { done } = (await told()).report;
    expect(done).toBeLessThan(30);
    await eventually(async () => (await open()) === 30 - done);
  });

  test("who logs in is back at the view that led there, with its filter", async () => {
    const { url } = scene.web;
    const page = await fetch(`${url}/letters?stop=A%20%26%20B&of=nobody`, { headers: { accept: "text/html" } });
    const links = [...(await page.text()).matchAll(/href="(\/login[^"]*)"/g)].map(([, link]) => link!);
    const next = "/letters?stop=A+%26+B";
    expect(links).toEqual(Array.from({ length: 2 }, () => `/login?next=${encodeURIComponent(next)}`));
    const form = await (await fetch(url + links[0]!, { headers: { accept: "text/html" } })).text();
    expect(form).toContain(`name="next" value="${next.replace("&", "&amp;")}"`);
    const answer = await fetch(`${url}/login`, {
      method: "POST",
      headers: { origin: url, accept: "text/html" },
      body: new URLSearchParams({ name: "ann", password: PASSWORD, next }),
      redirect: "manual",
    });
    expect([answer.status, answer.headers.get("location")]).toEqual([303, next]);
  });

  test("messages are found by what they hold, also in lists", async () => {
    const { ask: asAnn, line: bus, topic } = scene;
    const end = topic("End"); // it is paused
    await bus.metro.send(end, { items: [{ price: 12.5 }, { price: 7 }] });
    const found = async (field: string, value: string) => {
      const { trips, looked } = await asAnn<TripsAnswer>(
        `/api/v1/trips?${new URLSearchParams({ field, value }).toString()}`,
      );
      expect(looked).toBeGreaterThan(0);
      return trips.map(({ outcome, detail }) => `${outcome} ${detail}`);
    };
    const there = [`found ${end}`];
    for (const field of ["items.price", "items[1].price", "items.1.price", "items.*.price", "items[*].price"])
      expect([field, await found(field, "7")]).toEqual([field, there]);
    expect(await found("items[0].price", "12.5")).toEqual(there);
    expect(await found("items[0].price", "7")).toEqual([]);
    expect(await found("items.2.price", "7")).toEqual([]);
  });

  test("a message may hold anything: a search that meets it goes on, and its trip is shown", async () => {
    const { ask: asAnn, line: bus, topic } = scene;
    const end = topic("End"); // it is paused
    const odd = { toString: 1 };
    await bus.metro.send(end, { card: odd }, { key: "odd" });
    await bus.metro.send(end, { card: "none" }, { key: "even" });
    const deep = `{"header":{"route":[],"historical_route":[{"toString":1},"${end}"],"id":"odd-one"},"payload":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
    const odd2 = `{"header":{"route":[{"toString":1},"Next"],"id":"odd-one"},"payload":1}`;
    await bus.metro.bus.send(
      [deep, odd2].map((value) => ({ topic: end, key: Buffer.from("odd"), value: Buffer.from(value), headers: [] })),
    );
    const found = (query: Record<string, string>) =>
      asAnn<TripsAnswer>(`/api/v1/trips?${new URLSearchParams(query).toString()}`);
    const both = await found({ field: "card", value: "none" });
    expect([both.trips.length, both.fault]).toEqual([1, null]);
    expect((await found({ field: "card", value: "none", key: "odd" })).trips).toEqual([]);
    const { trips } = await found({ key: "odd" });
    expect(trips.map(({ stops }) => stops)).toContainEqual([end]);
    const trip = await asAnn<TripAnswer>("/api/v1/trips/odd-one");
    expect(trip.now).toMatchObject({ state: "travelling", stop: end });
  });

  test("a message that waits at its first stop is told to be there, with what is still ahead", async () => {
    const { ask: asAnn, line: bus, topic } = scene;
    const end = topic("End"); // it is paused
    await bus.metro.send(end, { first: true }, { key: "first", route: ["Next", "Last"] });
    const [one] = (await asAnn<TripsAnswer>("/api/v1/trips?key=first")).trips;
    const { now, ahead } = await asAnn<TripAnswer>(`/api/v1/trips/${one!.id}`);
    expect(now).toMatchObject({ state: "travelling", stop: end, why: `${end} is paused` });
    expect(ahead).toEqual(["Next", "Last"]);
  });

  test("a letter that is nested too deeply to be shown as JSON is shown as bytes, and can be discarded", async () => {
    const { ask: asAnn, line: bus } = scene;
    const value = Buffer.from(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    await bus.metro.bus.send([{ topic: values["stop"]!, key: Buffer.from("deep"), value, headers: [] }]);
    let id = "";
    await eventually(async () => {
      const { letters } = await asAnn<LettersAnswer>("/api/v1/letters?key=deep");
      id = letters?.[0]?.id ?? "";
      return id !== "";
    });
    const page = await fetch(`${scene.web.url}/api/v1/letters/${id}`, { headers: { authorization: basic("ann") } });
    expect([page.status, "payload" in ((await page.json()) as object)]).toEqual([200, false]);
    expect(await asAnn(`/api/v1/letters/${id}/discard`, { reason: "too deep" })).toMatchObject({ done: 1 });
  });

  test("a message that a stop is done with does not count as waiting there, though nobody has recorded it", async () => {
    const { ask: asAnn, line: bus, settings, topic } = scene;
    const quiet = topic("Quiet");
    await using silent = await line({ ...settings, METROBUS_TRIPS: "off" });
    await silent.stop(quiet, (message: object) => message);
    await bus.metro.send(values["stop"]!, { n: 7 }, { key: "quiet", route: [quiet] });
    await eventually(async () => (await silent.counts(quiet))["arrived"]?.[""] === 1);
    let trip: TripAnswer | undefined;
    await eventually(async () => {
      const [one] = (await asAnn<TripsAnswer>("/api/v1/trips?key=quiet")).trips;
      trip = one && (await asAnn<TripAnswer>(`/api/v1/trips/${one.id}`));
      return trip?.now.state === "unrecorded";
    });
    expect(trip!.now).toMatchObject({ stop: quiet });
    expect(trip!.visits.map(({ stop }) => stop)).toEqual([values["stop"]]);
  });

  test("a process that was killed is told as vanished, not only forgotten", async () => {
    const { ask: asAnn, settings, topic, web } = scene;
    const stop = topic("Killed");
    const env = { ...(settings as Record<string, string>), METROBUS_VERSION: "9.9.9" };
    const child = start([process.execPath, "tests/integration/fixtures/charge.ts", stop, "again"], env);
    onTestFinished(() => void child.process.kill("SIGKILL"));
    const told = () => asAnn<StopAnswer>(`/api/v1/stops/${stop}`).catch(() => null);
    await eventually(async () => ((await told())?.instances.length ?? 0) === 1);
    child.process.kill("SIGKILL");
    await eventually(async () => (await told())?.instances.length === 0);
    expect((await told())!.vanished).toMatchObject([
      { pid: child.process.pid, version: "9.9.9", delivery: "at-least-once" },
    ]);
    const page = await fetch(`${web.url}/stops/${stop}`, { headers: { accept: "text/html" } });
    expect(await page.text()).toMatch(/A process has vanished \d+ s ago without saying that it ends/);
  });

  test("the page works in somebody's own app, below a path and behind a middleware", async () => {
    const { settings } = scene;
    let passed = 0;
    const page = await statusPage({ settings });
    const app = express().use("/ops/bus", (_request, _response, next) => (passed++, next()), page);
    app.use((_request, response) => void response.status(418).send("not the page's"));
    const server = app.listen(0);
    await once(server, "listening");
    const host = `http://localhost:${(server.address() as AddressInfo).port}`;
    const wantsPage = { accept: "text/html" };
    try {
      expect((await fetch(`${host}/stops`)).status).toBe(418);
      await eventually(async () => (await fetch(`${host}/ops/bus/api/v1/letters`)).ok);
      const form = await fetch(`${host}/ops/bus/login`, {
        method: "POST",
        headers: { origin: host, ...wantsPage },
        body: new URLSearchParams({ name: "ann", password: PASSWORD, next: "/letters" }),
        redirect: "manual",
      });
      expect([form.status, form.headers.get("location")]).toEqual([303, "/ops/bus/letters"]);
      const cookie = form.headers.get("set-cookie")!.split(";")[0]!;
      const seen = new Set<string>();
      for (const path of [
        "/",
        "/stops",
        `/stops/${values["stop"]}`,
        "/trips",
        "/letters",
        `/letters/${values["/letters/{id}"]}`,
        "/audit",
        "/send",
      ]) {
        const response = await fetch(`${host}/ops/bus${path}`, { headers: { cookie, ...wantsPage } });
        expect([path, response.status]).toEqual([path, 200]);
        for (const [, to] of (await response.text()).matchAll(/\s(?:href|src|action)="([^"#][^"]*)"/g)) seen.add(to!);
      }
      const links = [...seen].map((to) => to.replaceAll("&amp;", "&"));
      expect(links.filter((to) => !to.startsWith("/ops/bus/"))).toEqual([]);
      const followed = links.filter((to) => !/\/(logout|replay|discard|pause|resume)$/.test(to));
      for (const to of followed) {
        const { status } = await fetch(host + to, { headers: { cookie, ...wantsPage } });
        expect([to, status]).toEqual([to, 200]);
      }
      const stream = await fetch(`${host}/ops/bus/stops`, { headers: { cookie, accept: "text/event-stream" } });
      const { value } = await stream.body!.getReader().read();
      expect(Buffer.from(value!).toString()).toContain(`href=\\"/ops/bus/stops/${values["stop"]}\\"`);
      const paused = await fetch(`${host}/ops/bus/stops/${values["stop"]}/pause`, {
        method: "POST",
        headers: { cookie, origin: host, ...wantsPage },
        body: new URLSearchParams(),
      });
      expect(paused.url).toBe(`${host}/ops/bus/stops/${values["stop"]}`);
      expect(await paused.text()).toContain("Paused by <bdi>ann</bdi>");
      const refused = await fetch(`${host}/ops/bus/letters/0-999999/replay`, {
        method: "POST",
        headers: { cookie, origin: host, referer: `${host}/ops/bus/letters/0-999999?a=b#c`, ...wantsPage },
        body: new URLSearchParams(),
      });
      expect([refused.status, await refused.text()]).toEqual([
        409,
        expect.stringContaining('href="/ops/bus/letters/0-999999">Back</a>'),
      ]);
      expect(passed).toBeGreaterThan(followed.length);
    } finally {
      await page.end();
      server.closeAllConnections();
      server.close();
    }
  });
});

describe.skipIf(!brokers || !redis)("letters and what keeps them from being acted on (needs Docker)", () => {
  /** People's pages without a browser: a proxy says who asks. */
  const trusting = { WEB_TRUST_HEADER: "X-User", WEB_TRUST_PROXY: "127.0.0.1,::1", WEB_PUBLIC_DETAILS: "true" };

  test("letters that can't be acted on are shown with the reason, and acted on as soon as they can be", async () => {
    const servers = { brokers: brokers!, redis: redis!, database: 12 };
    await using scene = await operated(servers, { ...trusting, METROBUS_CREATE_TOPICS: "false" });
    const { web, settings, line } = scene;
    const topic = settings.METROBUS_DEAD_LETTER_TOPIC!;
    const { bus } = line.metro;
    await bus.create([{ topic, partitions: 1 }]);
    await bus.send([{ topic, key: null, value: Buffer.from('{"n":1}'), headers: [] }]);
    const page = async (path: string) =>
      (await fetch(web.url + path, { headers: { accept: "text/html", "x-user": "ann" } })).text();
    const blocked = async (path: string, user: string) => {
      const answer = await fetch(`${web.url}/api/v1${path}`, { headers: { "x-user": user } });
      return ((await answer.json()) as { blocked: string | null }).blocked;
    };
    await eventually(async () => (await fetch(`${web.url}/api/v1/letters/0-0`)).ok);
    const [views, form] = [["/letters", "/letters/0-0", "/audit"], /<form method="post" action="\/letters/];
    for (const path of views) {
      expect(await page(path)).toMatch(
        /class="note alarm"[^>]*>Letters can’t be acted on: topic &#34;\S+\.actions&#34;/,
      );
      expect(await page(path)).not.toMatch(form);
      expect(await blocked(path, "ann")).toMatch(
        /METROBUS_CREATE_TOPICS=true for .* the status page or metrobus errors/,
      );
      expect(await blocked(path, "")).toBeNull();
    }
    await bus.create([{ topic: `${topic}.actions`, partitions: 1 }]);
    await eventually(async () => (await blocked("/letters", "ann")) === null);
    for (const path of views) expect(await page(path)).not.toContain("be acted on:");
    for (const path of views.slice(0, 2)) expect(await page(path)).toMatch(form);
  });

  test("while a page that has just begun reads what was done with letters it says so, and then shows them", async () => {
    const servers = { brokers: brokers!, redis: redis!, database: 12 };
    await using scene = await operated(servers, trusting);
    const { line, settings, topic, web: other } = scene;
    const [work, actions] = [topic("Work"), `${settings.METROBUS_DEAD_LETTER_TOPIC}.actions`];
    await line.stop(work, () => {
      throw new Error("it always fails");
    });
    await line.metro.send(work, {});
    const letters = async (url: string) => (await (await fetch(`${url}/api/v1/letters`)).json()) as LettersAnswer;
    await eventually(async () => (await letters(other.url)).letters?.length === 1);
    await line.metro.create([actions]);
    const old = { topic: actions, key: null, value: Buffer.from("{}"), headers: [] };
    for (let n = 0; n < 100; n++) await line.metro.bus.send(Array.from({ length: 10_000 }, () => old));
    const web = await startWeb({ settings });
    onTestFinished(() => web.close());
    const page = async () => (await fetch(`${web.url}/letters`, { headers: { accept: "text/html" } })).text();
    let first = "";
    await eventually(async () => (first = await page()).includes("is still being read"));
    expect(first).toContain("They are shown as soon as they can be read");
    expect(first).not.toContain("There is no dead letter");
    await eventually(async () => (await letters(web.url)).letters?.length === 1);
    expect((await letters(web.url)).fault).toBeNull();
  });

  test("before a letter is replayed it is told which stops of its route do not exist, and it can go another way", async () => {
    const servers = { brokers: brokers!, redis: redis!, database: 12 };
    await using scene = await operated(servers, trusting);
    const { web, line, topic } = scene;
    const [work, recommend, end] = [topic("Work"), topic("Recommend"), topic("End")];
    await line.metro.create([end]);
    await line.stop(work, (message: object) => message);
    await line.metro.send(work, { n: 1 }, { route: [recommend, end] });
    const read = async (user: string) => {
      const answer = await fetch(`${web.url}/api/v1/letters?stop=${work}`, { headers: { "x-user": user } });
      const [found] = ((await answer.json()) as LettersAnswer).letters ?? [];
      if (!found) return null;
      const letter = await fetch(`${web.url}/api/v1/letters/${found.id}`, { headers: { "x-user": user } });
      return (await letter.json()) as { id: string; missing: string[] };
    };
    await eventually(async () => (await read("ann")) !== null);
    const { id, missing } = (await read("ann"))!;
    expect([missing, (await read(""))!.missing]).toEqual([[recommend], []]);
    const page = async () =>
      (await fetch(`${web.url}/letters/${id}`, { headers: { accept: "text/html", "x-user": "ann" } })).text();
    expect(await page()).toContain(`Its route names ${recommend}, which does not exist: there it will fail again.`);
    expect(await page()).toMatch(new RegExp(`name="route" value="${recommend}, ${end}"`));
    await line.metro.create([recommend]);
    expect([(await read("ann"))!.missing, (await page()).includes("will fail again")]).toEqual([[], false]);
    const replayed = await fetch(`${web.url}/letters/${id}/replay`, {
      method: "POST",
      headers: { accept: "text/html", "x-user": "ann", origin: web.url },
      body: new URLSearchParams({ route: ` ${end} `, payload: '{"n":2}' }),
    });
    expect(await replayed.text()).toContain("It has been replayed");
    const [arrived] = await line.records(end, 1);
    expect(json(arrived!)).toMatchObject({ payload: { n: 2 }, header: { historical_route: [work, end] } });
    expect(await line.records(recommend)).toEqual([]);
  });
});

test("where no stop has run yet there are no dead letters", async () => {
  const settings = { METROBUS_BUS: "memory", WEB_PUBLIC_DETAILS: "true", PORT: "0", LOG_LEVEL: "silent" };
  await using metro = await connect(settings);
  const web = await startWeb({ settings, bus: metro });
  onTestFinished(() => web.close());
  const page = async () => (await fetch(`${web.url}/letters`, { headers: { accept: "text/html" } })).text();
  expect(await page()).toContain("They are being counted.");
  await eventually(async () => (await page()).includes("There is no dead letter."));
  const response = await fetch(`${web.url}/api/v1/letters`);
  expect([response.status, await response.json()]).toEqual([
    200,
    expect.objectContaining({ letters: [], fault: null }),
  ]);
});

test("numbers keep their digits when they are sent, shown and sent again, edited or not", async () => {
  const secret = await hashPassword(PASSWORD);
  const settings = {
    METROBUS_BUS: "memory",
    WEB_OPERATORS: `ann:${secret}`,
    WEB_PUBLIC_DETAILS: "true",
    PORT: "0",
    LOG_LEVEL: "silent",
  };
  await using bus = await line(settings);
  const web = await startWeb({ settings, bus: bus.metro });
  onTestFinished(() => web.close());
  const act = async (path: string, body: object) => {
    const headers = { authorization: basic("ann"), "content-type": "application/json" };
    expect(await fetch(web.url + path, { method: "POST", headers, body: JSON.stringify(body) })).toMatchObject({
      ok: true,
    });
  };
  await bus.stop("Charge", ({ bad }: { bad: boolean }) => {
    if (bad) throw new Error("it is bad");
    return null;
  });
  const amount = "12345678901234567890.50";
  await act("/api/v1/send", { topic: "Charge", payload: `{"bad":true,"amount":${amount}}`, route: "End" });
  await bus.records("Error", 1);
  const page = await (await fetch(`${web.url}/letters/0-0`, { headers: { accept: "text/html" } })).text();
  const [, shown] = page.match(/>(\{[^<]*amount[^<]*)</)!;
  const payload = shown!.replaceAll("&#34;", '"').replace("true", "false");
  expect(payload).toBe(`{\n  "bad": false,\n  "amount": ${amount}\n}`);
  await act("/api/v1/letters/0-0/replay", { payload });
  const [sent, edited] = await bus.records("Charge", 2);
  expect([String(sent!.value), String(edited!.value)]).toEqual([
    expect.stringContaining(`"amount":${amount}`),
    expect.stringContaining(`"amount": ${amount}`),
  ]);
});
