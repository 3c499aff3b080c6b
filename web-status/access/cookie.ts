import type { IncomingMessage } from "node:http";
import { parseCookie, stringifySetCookie } from "cookie";

/** The cookie of a session, in the words of Cookie and Set-Cookie. */

export const SESSION_S = 12 * 3600;

/** With `__Host-` no page on another host of the domain, and none without TLS, can put one of its own there. */
const nameFor = (isSecure: boolean) => (isSecure ? "__Host-metrobus" : "metrobus");

/** null: there is none. */
export function sessionToken({ headers }: IncomingMessage, isSecure: boolean): string | null {
  return parseCookie(headers.cookie ?? "")[nameFor(isSecure)] ?? null;
}

export const sessionCookie = (token: string, isSecure: boolean): string => cookie(token, SESSION_S, isSecure);
export const endOfSession = (isSecure: boolean): string => cookie("", 0, isSecure);

function cookie(value: string, maxAge: number, secure: boolean): string {
  return stringifySetCookie({
    name: nameFor(secure),
    value,
    maxAge,
    secure,
    path: "/",
    httpOnly: true,
    sameSite: "strict",
  });
}
