import { join } from "node:path";
import { pipeline, type Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import express, { type NextFunction, type Request, type Response, type Router } from "express";
import helmet from "helmet";
import type { Logger } from "metrobus";
import type { Reply, Routes } from "./routes.ts";

/** The table of routes as an Express router, with the files of the page; it never listens. */
export function router({ get, post, problem }: Routes, log: Logger): Router {
  const page = express.Router({ caseSensitive: true }).use(securityHeaders());
  for (const [path, answer] of Object.entries(get))
    page.get(path, async (request, response) => send(await answer(request), request, response));
  const bodies = [express.json({ limit: MOST_BODY }), express.urlencoded({ extended: false, limit: MOST_BODY })];
  for (const [path, answer] of Object.entries(post))
    page.post(path, ...bodies, async (request, response) => send(await answer(request), request, response));
  page.use(express.static(join(import.meta.dirname, "public"), { index: false, maxAge: "1h" }));
  for (const [path, file] of Object.entries(VENDOR))
    page.get(path, (_request, response) => response.sendFile(file, { maxAge: "1h" }));
  page.use((request, response) => send(problem(request, NOT_FOUND), request, response));
  page.use((error: unknown, request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) return next(error);
    const { status = 500, type = "" } = error as { status?: number; type?: string };
    if (status >= 500) log.error({ err: error, url: request.originalUrl }, "the page could not answer");
    send(problem(request, status < 500 ? refused(status, type) : BROKEN), request, response);
  });
  return page;
}

/** A letter may be edited that is as large as a record of Kafka may be by default: a form takes up to three bytes for one, and more for layout. */
const MOST_BODY = "8mb";

const NOT_FOUND = {
  status: 404,
  title: "Not found",
  text: "There is nothing at this address. The map is on the first page.",
};
/** By what Express's parsers call it. */
const REFUSALS: Readonly<Record<string, string>> = {
  "entity.too.large": `The body is larger than ${MOST_BODY.toUpperCase()}, which is more than any letter takes: nothing of it was read, and nothing was done.`,
  "entity.parse.failed": "The body is called JSON and is none: nothing was done. Send what a JSON encoder makes.",
};
const refused = (status: number, type: string) => ({
  status,
  title: "Bad request",
  text: REFUSALS[type] ?? "The server can't answer a request such as this.",
});
const BROKEN = {
  status: 500,
  title: "Something went wrong",
  text: "The page could not be made. The log of the status page says why.",
};

const VENDOR = {
  "/vendor/idiomorph.js": fileURLToPath(import.meta.resolve("idiomorph/dist/idiomorph.esm.js")),
  "/vendor/uplot.js": fileURLToPath(import.meta.resolve("uplot/dist/uPlot.esm.js")),
  "/vendor/uplot.css": fileURLToPath(import.meta.resolve("uplot/dist/uPlot.min.css")),
};

function send(reply: Reply, request: Request, response: Response): void {
  response
    .status(reply.status ?? 200)
    .vary("Accept")
    .set("Cache-Control", "no-store");
  if (reply.headers) response.set(reply.headers);
  if ("html" in reply) response.type("html").send(reply.html);
  else if ("json" in reply) response.json(reply.json);
  else if ("to" in reply) response.redirect(303, request.baseUrl + reply.to);
  else if (request.method === "HEAD") response.type("text/event-stream").end(() => reply.events.destroy());
  else sendEvents(reply.events, response);
}

function sendEvents(events: Readable, response: Response): void {
  response.type("text/event-stream").set({ "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no" });
  response.flushHeaders();
  pipeline(events, response, () => {}); // a viewer that leaves is no error
}

/** Only this origin's files; nothing inline. What forces https stays away: the page is served on plain http too. */
function securityHeaders() {
  const directives = {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  };
  return helmet({
    contentSecurityPolicy: { useDefaults: false, directives },
    strictTransportSecurity: false,
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    // Without a referrer Chromium sends `Origin: null` with the page's own forms, which are then not believed.
    referrerPolicy: { policy: "same-origin" },
  });
}
