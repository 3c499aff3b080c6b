import type { Readable } from "node:stream";
import type { Request } from "express";
import type { Latest, LatestStats } from "./latest.ts";
import type { Live } from "./live.ts";
import { everyStop, present, quantiles, totals } from "./present.ts";
import { message, page } from "./views.ts";

/** What a handler answers; the status is 200 unless it says otherwise. */
export type Reply = { status?: number } & ({ html: string } | { json: object } | { events: Readable });
export type Routes = Readonly<Record<string, (request: Request) => Reply | Promise<Reply>>>;

/** Everything the page serves, besides the files of `public/`. */
export function routes(latest: LatestStats, live: Live): Routes {
  return {
    "/": async (request) => {
      const found = await (request.method === "HEAD" ? latest.read() : latest.open());
      if (wantsPage(request)) return { html: page(present(found)) };
      if (!found.snapshot || found.fault) return unavailable(found);
      return { json: { ...found.snapshot.counter, hit_count: found.snapshot.hits } };
    },
    "/api/live": () => ({ events: live.join() }),
    "/api/stats": async () => {
      const found = await latest.read();
      if (!found.snapshot || found.fault) return unavailable(found);
      const { at, counter, hits } = found.snapshot;
      const stops = everyStop(found.snapshot);
      const measured = stops.map((stop) => ({
        ...stop,
        workedMs: quantiles(stop.worked),
        waitedMs: quantiles(stop.waited),
      }));
      return { json: { at, counter, hits, totals: totals(stops), stops: measured } };
    },
    "/healthz": () => ({ json: { status: "ok" } }),
    "/readyz": async () => {
      const found = await latest.read();
      return found.fault ? unavailable(found) : { json: { status: "ok" } };
    },
  };
}

/** Old numbers are for people, who are told that they are old; a program gets none. */
function unavailable({ fault }: Latest): Reply {
  return { status: 503, json: { error: fault } };
}

/** A page for who asks for one (`Accept: text/html`), else JSON. */
export function problem(request: Request, status: number, title: string, text: string): Reply {
  return wantsPage(request)
    ? { status, html: message({ title, text }) }
    : { status, json: { error: `${title}: ${text}` } };
}

function wantsPage(request: Request): boolean {
  return request.accepts(["json", "html"]) === "html";
}
