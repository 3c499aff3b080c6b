import type { Readable } from "node:stream";
import type { Request } from "express";
import { MetrobusError } from "metrobus";
import { z } from "zod";
import type { Live } from "./live.ts";
import { openApi } from "./openapi.ts";
import { isRefusal, type Refusal, type Visitor } from "./access/access.ts";
import { wayBack } from "./access/way-back.ts";
import { logInHref } from "./links.ts";
import { NotDone, NotFound, type Deed, type Resource, type Shown } from "./resource.ts";
import { frame, trouble } from "./views.ts";

/** What a handler answers; the status is 200 unless it says otherwise. `to`: go there, below the page's own address. */
export type Reply = { status?: number; headers?: Record<string, string> } & (
  | { html: string }
  | { json: object }
  | { events: Readable }
  | { to: string }
);
export type Handler = (request: Request) => Reply | Promise<Reply>;

export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly text: string;
}

export interface Routes {
  readonly get: Readonly<Record<string, Handler>>;
  readonly post: Readonly<Record<string, Handler>>;
  /** A page for who asks for one (`Accept: text/html`), else JSON. */
  problem(request: Request, problem: Problem): Reply;
}

export interface Serving {
  readonly resources: readonly Resource[];
  readonly deeds: readonly Deed[];
  readonly live: Live;
  visitor(request: Request): Promise<Visitor | Refusal>;
  /** The host, with its port, that the visitor asked for. */
  host(request: Request): string;
  /** Told of each opening of a page by somebody who reads it. */
  opened(request: Request): Promise<void>;
  /** Routes of other kinds. */
  readonly more: Pick<Routes, "get" | "post">;
}

/** What it takes to answer that something can't be done. */
export type Answering = Pick<Serving, "visitor" | "host">;

export const API = "/api/v1";

/** Everything that the page serves, besides the files of `public/`. */
export function routes(serving: Serving): Routes {
  const { resources, deeds, more } = serving;
  const get: Record<string, Handler> = { ...more.get };
  const post: Record<string, Handler> = { ...more.post };
  for (const each of resources) {
    get[each.path] ??= (request) => forPeople(each, request, serving);
    get[API + (each.apiPath ?? each.path)] = (request) => forPrograms(each, request, serving);
  }
  for (const each of deeds) {
    post[each.path] = (request) => done(each, request, serving, (answer, body) => ({ to: each.next(answer, body) }));
    post[API + each.path] = (request) => done(each, request, serving, (answer) => ({ json: answer }));
  }
  const document = openApi(resources, deeds);
  get["/api/openapi.json"] = () => ({ json: document });
  return { get, post, problem: (request, what) => problemFor(request, what, NOBODY, serving) };
}

const NOBODY: Visitor = { name: null, by: null, mayAct: false, seesDetails: false };

/** Express's own: one value a name is all that anybody needs. */
function asked<T extends z.ZodObject>(schema: T, request: Request): z.output<T> {
  return parsed(schema, { ...request.query, ...request.params });
}

function bodyOf<T extends z.ZodObject>(schema: T, request: Request): z.output<T> {
  // A program that has nothing to say may well name no type for it: fetch's POST without a body has a length of 0.
  if (request.get("Content-Length") !== "0" && request.is(BODIES) === false)
    throw new WrongType(
      `a body of type ${request.get("Content-Type") ?? "none"} is not read: send ${BODIES.join(" or ")}`,
    );
  return parsed(schema, { ...(request.body as object | undefined), ...request.params });
}

const BODIES = ["application/json", "application/x-www-form-urlencoded"];

function parsed<T extends z.ZodObject>(schema: T, values: object): z.output<T> {
  const read = schema.safeParse(values);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new WrongQuery([issue!.path.join("."), issue!.message].filter(Boolean).join(": "));
}

class WrongQuery extends Error {}
class WrongType extends Error {}

/** As a page, as a stream of its updates, or as JSON, whichever is asked for. */
export async function forPeople(each: Resource, request: Request, serving: Serving): Promise<Reply> {
  const kind = request.accepts(["json", "html", "text/event-stream"]);
  if (kind === "json") return forPrograms(each, request, serving);
  return answered(request, serving, async (visitor) => {
    const shown: Shown = {
      base: request.baseUrl,
      logIn: logInHref(request.baseUrl, addressOf(request, each)),
      visitor,
    };
    allow(each, visitor);
    const query = asked(each.query, request);
    const main = async () => each.show(await each.read(query, visitor), { ...shown, query });
    if (kind === "text/event-stream") {
      const key = JSON.stringify([request.baseUrl, request.path, query, visitor.mayAct, visitor.seesDetails]);
      const instead = (error: unknown) => {
        const what = problemOf(error);
        return trouble({ ...what, back: null, isAskedAgain: what.status === 503 });
      };
      return { events: serving.live.join(key, () => main().catch(instead)) };
    }
    if (request.method === "GET") await serving.opened(request);
    const framed = { ...shown, title: each.title(query), path: request.path, isLive: !each.isStill };
    return { html: frame({ ...framed, main: await main() }) };
  });
}

/** Of the query only what the view has a use for: it is the same for all who watch it. */
function addressOf({ path, query: asked, params }: Request, { query }: Resource): string {
  const isUsed = (name: string) => Object.hasOwn(query.shape, name) && !Object.hasOwn(params, name);
  const known = Object.entries(asked).filter(([name, value]) => isUsed(name) && typeof value === "string");
  const search = new URLSearchParams(known as [string, string][]).toString();
  return search ? `${path}?${search}` : path;
}

const forPrograms = (each: Resource, request: Request, serving: Serving): Promise<Reply> =>
  answered(request, serving, async (visitor) => {
    allow(each, visitor);
    return { json: (await each.read(asked(each.query, request), visitor)) as object };
  });

const done = (
  each: Deed,
  request: Request,
  serving: Serving,
  reply: (answer: object, body: Record<string, unknown>) => Reply,
): Promise<Reply> =>
  answered(request, serving, async (visitor) => {
    if (!visitor.mayAct || visitor.name === null) throw new Refused("only operators may do this: log in as one");
    const body = bodyOf(each.body, request);
    return reply(await each.run(body, visitor.name), body);
  });

/** With who asks; errors that are for people become answers. */
export async function answered(
  request: Request,
  answering: Answering,
  answer: (visitor: Visitor) => Promise<Reply>,
): Promise<Reply> {
  const visitor = await answering.visitor(request);
  if (isRefusal(visitor)) return refused(request, visitor, answering);
  try {
    return await answer(visitor);
  } catch (error) {
    return problemFor(request, problemOf(error), visitor, answering);
  }
}

const TITLES = { 400: "Bad request", 401: "Not logged in", 403: "Not allowed", 429: "Too many attempts" } as const;

export function refused(request: Request, { status, error, retryAfterS }: Refusal, answering: Answering): Reply {
  const reply = problemFor(request, { status, title: TITLES[status], text: error }, NOBODY, answering);
  return retryAfterS === undefined ? reply : { ...reply, headers: { "Retry-After": String(Math.ceil(retryAfterS)) } };
}

class Refused extends Error {}

function allow({ needsDetails }: Resource, { seesDetails }: Visitor): void {
  if (needsDetails && !seesDetails)
    throw new Refused("what messages hold is for operators to see: log in as one, or set WEB_PUBLIC_DETAILS=true");
}

/** The words of an error that the page or metrobus itself raised are for people, and hold no secret. Others are thrown on. */
function problemOf(error: unknown): Problem {
  if (error instanceof WrongType) return { status: 415, title: "Not understood", text: error.message };
  if (error instanceof WrongQuery) return { status: 400, title: TITLES[400], text: error.message };
  if (error instanceof Refused) return { status: 403, title: TITLES[403], text: error.message };
  if (error instanceof NotFound) return { status: 404, title: "Not found", text: error.message };
  if (error instanceof NotDone) return { status: 409, title: "Nothing was done", text: error.message };
  if (!(error instanceof MetrobusError)) throw error;
  return error.retryable
    ? { status: 503, title: "Not available now", text: error.message }
    : { status: 422, title: "It can’t be done", text: error.message };
}

function problemFor(request: Request, { status, title, text }: Problem, visitor: Visitor, { host }: Answering): Reply {
  const wantsPage = request.accepts(["json", "html"]) === "html";
  if (!wantsPage) return { status, json: { error: `${title}: ${text}` } };
  // A form's address has no view: it is not asked again by itself.
  const isLive = status === 503 && request.method === "GET";
  const back = wayBack(request, host(request), request.baseUrl);
  const main = trouble({ status, title, text, back, isAskedAgain: isLive });
  const next = request.method === "GET" ? request.url : (back?.slice(request.baseUrl.length) ?? "/");
  const logIn = logInHref(request.baseUrl, next);
  const framed = { base: request.baseUrl, logIn, visitor, title, path: request.path, isLive };
  return { status, html: frame({ ...framed, main }) };
}
