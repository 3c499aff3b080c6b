import { once } from "node:events";
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
} from "node:http";
import { createServer as createTlsServer, request as tlsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import express from "express";
import { loadConfig } from "../../runtime/config.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Settings } from "../../runtime/settings.ts";
import { access, isRefusal, type Visitor } from "../../web-status/access/access.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Partial<Visitor> & { error?: string };
}

/** A page with nothing on it but who asks: `GET` and `POST` of any path answer the visitor, `POST /log-in` and `/log-out` do what they say. */
export interface GuardedPage extends AsyncDisposable {
  readonly host: string;
  /** What was logged, as `{ level, ...facts, text }`. */
  readonly logged: Record<string, unknown>[];
  /** With a body it is a form, and the method is POST; `host` of the headers is sent as it is. */
  ask(path: string, headers?: Record<string, string | string[]>, form?: Record<string, string>): Promise<Answer>;
  /** As one does it in a browser on the page itself: the cookie for the requests to come. */
  logIn(name: string, password: string, headers?: Record<string, string>): Promise<string>;
}

/** A real server on a free port; `tls`: with this certificate. */
export async function guardedPage(settings: Settings, tls?: { cert: string; key: string }): Promise<GuardedPage> {
  const logged: Record<string, unknown>[] = [];
  const noting = (level: string) => (facts: object, words: string) =>
    void logged.push({ level, ...facts, text: words });
  const log = { info: noting("info"), warn: noting("warn") } as unknown as Logger;
  const app = pageApp(settings, log);
  const server: Server = tls ? createTlsServer(tls, app) : createServer(app);
  server.listen(0);
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  const ask: GuardedPage["ask"] = async (path, headers = {}, form) => {
    const method = form ? "POST" : "GET";
    const type = form && { "content-type": "application/x-www-form-urlencoded" };
    const options = { method, headers: { ...type, ...headers }, rejectUnauthorized: false, agent: false as const };
    const request = tls ? tlsRequest(`https://${host}${path}`, options) : httpRequest(`http://${host}${path}`, options);
    request.end(form && String(new URLSearchParams(form)));
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const body = JSON.parse(await text(response)) as Answer["body"];
    return { status: response.statusCode!, headers: response.headers, body };
  };

  return {
    host,
    logged,
    ask,
    async logIn(name, password, headers = {}) {
      const answer = await ask("/log-in", { "sec-fetch-site": "same-origin", ...headers }, { name, password });
      if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.body.error}`);
      return cookieOf(answer);
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** What a browser would send back. */
export const cookieOf = ({ headers }: Answer): string => headers["set-cookie"]![0]!.split(";")[0]!;

function pageApp(settings: Settings, log: Logger): express.Express {
  const gate = access(loadConfig(settings, {}).web, log);
  const app = express();
  app.use(express.urlencoded({ extended: false }));
  app.use(async (request, response) => {
    const visitor = await gate.visitor(request);
    const found = isRefusal(visitor) || request.path !== "/log-in" ? visitor : await gate.logIn(request, request.body);
    if (isRefusal(found)) {
      if (found.retryAfterS !== undefined) response.set("Retry-After", String(found.retryAfterS));
      response.status(found.status).json(found);
    } else if ("cookie" in found) response.set("Set-Cookie", found.cookie).json({});
    else if (request.path === "/log-out") response.set("Set-Cookie", gate.logOut(request)).json({});
    else response.json(found);
  });
  return app;
}
