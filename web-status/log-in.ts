import type { Request } from "express";
import { isRefusal, type Access } from "./access/access.ts";
import { logInHref } from "./links.ts";
import { answered, refused, type Answering, type Handler, type Reply } from "./routes.ts";
import { frame, view } from "./views.ts";

const form = view("login");

interface Asked {
  readonly next: string;
  readonly name: string;
  readonly error: string | null;
}

/** The form of the log-in, and what it and the log-out do. */
export function logIn({ hasLogIn, logIn: begin, logOut }: Access, serving: Answering) {
  const page = (request: Request, asked: Asked, status = 200): Promise<Reply> =>
    answered(request, serving, async (visitor) => {
      const { baseUrl: base } = request;
      const shown = {
        base,
        logIn: logInHref(base, asked.next),
        visitor,
        title: "Log in",
        path: "/login",
        isLive: false,
      };
      return { status, html: frame({ ...shown, main: form({ ...shown, ...asked, hasLogIn }) }) };
    });
  const get: Record<string, Handler> = {
    "/login": (request) => page(request, { next: nextOf(request.query["next"]), name: "", error: null }),
  };
  const post: Record<string, Handler> = {
    async "/login"(request) {
      const { name, password, next } = (request.body ?? {}) as Record<string, unknown>;
      const begun = await begin(request, { name, password });
      if (!isRefusal(begun)) return { to: nextOf(next), headers: { "Set-Cookie": begun.cookie } };
      if (begun.status !== 401) return refused(request, begun, serving);
      return page(request, { next: nextOf(next), name: String(name), error: begun.error }, 401);
    },
    "/logout": (request) =>
      answered(request, serving, async () => ({ to: "/", headers: { "Set-Cookie": logOut(request) } })),
  };
  return { get, post };
}

/** An address of this page, and no other's. */
const nextOf = (next: unknown): string =>
  typeof next === "string" && next.isWellFormed() && /^\/(?![/\\])[^\s\\]*$/.test(next) ? next : "/";
