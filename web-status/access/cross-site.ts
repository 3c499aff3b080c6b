import type { IncomingMessage } from "node:http";

const READING = ["GET", "HEAD", "OPTIONS"];

/**
 * Why a request may have been made by another site's page, in the visitor's name; null: it was not, or it changes nothing. Nothing is
 * kept and no form needs a token: browsers tell where a request comes from, in a header that no page can set (Sec-Fetch-Site; on plain
 * http only Origin). `isAmbient`: the request carries what a browser or a proxy adds by itself, such as a cookie.
 */
export function fromElsewhere({ method, headers }: IncomingMessage, host: string, isAmbient: boolean): string | null {
  if (READING.includes(method ?? "")) return null;
  const site = headers["sec-fetch-site"];
  if (site !== undefined) {
    if (site === "same-origin" || site === "none") return null;
    return `this request comes from another site (Sec-Fetch-Site is ${shown(site)}): do it on this page itself`;
  }
  const { origin } = headers;
  if (origin !== undefined) {
    if (isOf(host, origin)) return null;
    if (origin === "null") return NULL_ORIGIN;
    return `this request comes from ${shown(origin)}, and this page is at ${shown(host)}: do it on this page itself. A proxy in between has to leave the header Host as it is, or to send X-Forwarded-Host and to be named in WEB_TRUST_PROXY`;
  }
  if (!isAmbient) return null;
  return "this request does not tell where it comes from: a program sends no cookie but its name and password (HTTP Basic), or also the header Sec-Fetch-Site: same-origin";
}

/** What a form sends, though it is the page's own, on plain http under Referrer-Policy: no-referrer. */
const NULL_ORIGIN =
  "this request hides where it comes from (Origin is null): do it on this page itself; what stands in front of the page has to leave its header Referrer-Policy: same-origin";

/** Whether an address is one of the host. */
export function isOf(host: string, origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host: theirs } = new URL(origin);
  const ours = `${protocol}//${host}`;
  return theirs !== "" && URL.canParse(ours) && new URL(ours).host === theirs;
}

const shown = (header: string | string[]): string => JSON.stringify(String(header).slice(0, 100));
