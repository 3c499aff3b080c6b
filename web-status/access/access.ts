import type { Request } from "express";
import type { Config, Logger } from "metrobus";
import { fromElsewhere } from "./cross-site.ts";
import { endOfSession, sessionCookie, sessionToken } from "./cookie.ts";
import { passwords } from "./passwords.ts";
import { trustedProxy } from "./proxy.ts";
import { sessions } from "./sessions.ts";
import { isRefusal, type Refusal, type Visitor } from "./visitor.ts";

export { isRefusal, type Refusal, type Visitor } from "./visitor.ts";

/** What the form of the log-in holds; from outside, so anything. */
export interface LogIn {
  readonly name?: unknown;
  readonly password?: unknown;
}

/** All its state is in the settings and in the visitor's cookie, but for the counts of wrong passwords: those each page keeps for itself. */
export interface Access {
  /** Whether there is anybody who could log in here. */
  readonly hasLogIn: boolean;
  /** The host, with its port, that the visitor asked for. */
  host(request: Request): string;
  /** For each request, before all else: a request that would change something is refused when it may come from another site's page. */
  visitor(request: Request): Promise<Visitor | Refusal>;
  /** The cookie, for Set-Cookie, of a session of 12 hours. `form`: the body, if there is one. */
  logIn(request: Request, form: LogIn | undefined): Promise<{ readonly cookie: string } | Refusal>;
  /** For Set-Cookie: the browser forgets its session. */
  logOut(request: Request): string;
}

/** Who may do what on the page: what `web` of the configuration says. */
export function access(web: Config["web"], log: Logger): Access {
  const proxy = trustedProxy(web, log);
  const checked = passwords(web.operators, log);
  const kept = sessions(web.operators);
  const hasLogIn = web.operators.size > 0;

  async function whoAsks(request: Request): Promise<Pick<Visitor, "name" | "by"> | Refusal> {
    const named = proxy.user(request);
    if (named !== null) return typeof named === "string" ? { name: named, by: "proxy" } : named;
    const name = await kept.operator(sessionToken(request, proxy.isSecure(request)));
    if (name !== null) return { name, by: "session" };
    const basic = hasLogIn && request.path.startsWith("/api/") ? credentials(request) : null;
    if (!basic) return { name: null, by: null };
    const key = await checked.key(proxy.address(request), basic.name, basic.password);
    return isRefusal(key) ? key : { name: basic.name, by: "basic" };
  }

  return {
    hasLogIn,
    host: (request) => proxy.host(request),
    async visitor(request) {
      const foreign = refuseForeign(request);
      if (foreign) return foreign;
      const who = await whoAsks(request);
      if (isRefusal(who)) return who;
      const mayAct = who.name !== null;
      return { ...who, mayAct, seesDetails: mayAct || web.publicDetails };
    },
    async logIn(request, { name, password } = {}) {
      const foreign = refuseForeign(request);
      if (foreign) return foreign;
      if (!hasLogIn) return { status: 403, error: "nobody can log in here: WEB_OPERATORS is not set" };
      if (typeof name !== "string" || typeof password !== "string")
        return { status: 400, error: "a log-in needs a name and a password" };
      const address = proxy.address(request);
      const key = await checked.key(address, name, password);
      if (isRefusal(key)) return key;
      log.info({ operator: name, address }, "an operator has logged in");
      return { cookie: sessionCookie(await kept.issue(name, key), proxy.isSecure(request)) };
    },
    logOut: (request) => endOfSession(proxy.isSecure(request)),
  };

  function refuseForeign(request: Request): Refusal | null {
    const isAmbient = sessionToken(request, proxy.isSecure(request)) !== null || proxy.user(request) !== null;
    const error = fromElsewhere(request, proxy.host(request), isAmbient);
    return error === null ? null : { status: 403, error };
  }
}

/** Of HTTP Basic, in UTF-8 (RFC 7617). Browsers are never asked for it: their own log-in can't be ended. */
function credentials({ headers }: Request): { name: string; password: string } | null {
  const [, encoded] = /^Basic +([\w+/=-]+)$/i.exec(headers.authorization ?? "") ?? [];
  const [, name, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded ?? "", "base64").toString()) ?? [];
  return name === undefined || password === undefined ? null : { name, password };
}
