import type { IncomingMessage } from "node:http";
import { isOf } from "./cross-site.ts";

/**
 * The path of the page, below `base`, that the form was on; null: nobody knows, or it was another site's. Of what the browser tells only the
 * path is believed: `host` is the one that was asked.
 */
export function wayBack(
  { method, headers: { referer = "" } }: IncomingMessage,
  host: string,
  base: string,
): string | null {
  if (method !== "POST" || !isOf(host, referer)) return null;
  const { pathname } = new URL(referer);
  const isBelow = pathname === base || pathname.startsWith(`${base}/`);
  // Two slashes would lead to a host.
  return isBelow && !pathname.startsWith("//") ? pathname : null;
}
