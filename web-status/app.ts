import { join } from "node:path";
import { pipeline, type Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import express, { type Express, type NextFunction, type Request, type Response } from "express";
import helmet from "helmet";
import type { Logger, StatsStore } from "metrobus";
import { latestStats } from "./latest.ts";
import { live } from "./live.ts";
import { present } from "./present.ts";
import { problem, routes, type Reply } from "./routes.ts";
import { numbers } from "./views.ts";

export interface StatusApp {
  readonly app: Express;
  /** Ends the live streams, so that the server can close. */
  close(): void;
}

/** The status page as an Express app; it never listens. */
export function statusApp(stats: StatsStore, log: Logger): StatusApp {
  const latest = latestStats(stats, log);
  const stream = live(() =>
    latest
      .read()
      .then((found) => numbers(present(found)))
      .catch(logged(log)),
  );
  const app = express().disable("x-powered-by").use(securityHeaders());
  for (const [path, answer] of Object.entries(routes(latest, stream)))
    app.get(path, async (request, response) => send(await answer(request), request, response));
  app.use(express.static(join(import.meta.dirname, "public"), { index: false }));
  app.get("/vendor/idiomorph.js", (_request, response) => response.sendFile(IDIOMORPH));
  app.use((request, response) => send(notFound(request), request, response));
  app.use((error: unknown, request: Request, response: Response, next: NextFunction) => {
    log.error({ err: error, url: request.originalUrl }, "the page could not answer");
    if (response.headersSent) next(error);
    else send(failed(request, error), request, response);
  });
  return { app, close: () => stream.close() };
}

function logged(log: Logger) {
  return (error: unknown): never => {
    log.error({ err: error }, "the page's numbers could not be made");
    throw error;
  };
}

const IDIOMORPH = fileURLToPath(import.meta.resolve("idiomorph/dist/idiomorph.esm.js"));

function notFound(request: Request): Reply {
  return problem(request, 404, "Not found", "There is nothing at this address. The numbers are on the first page.");
}

function failed(request: Request, error: unknown): Reply {
  const status = (error as { status?: number }).status;
  if (status && status >= 400 && status < 500)
    return problem(request, status, "Bad request", "The server can't answer a request such as this.");
  return problem(
    request,
    500,
    "Something went wrong",
    "The page could not be made. The log of the status page says why.",
  );
}

function send(reply: Reply, request: Request, response: Response): void {
  response
    .status(reply.status ?? 200)
    .vary("Accept")
    .set("Cache-Control", "no-store");
  if ("html" in reply) response.type("html").send(reply.html);
  else if ("json" in reply) response.json(reply.json);
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
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  };
  return helmet({
    contentSecurityPolicy: { useDefaults: false, directives },
    strictTransportSecurity: false,
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
  });
}
