import type { Request, Router } from "express";
import { createLogger, loadConfig, openStats, openTrips, type MetroBus, type Settings } from "metrobus";
import { access } from "./access/access.ts";
import { router } from "./app.ts";
import { audit } from "./letters/audit.ts";
import { discardLetter, letter, replayLetter } from "./letters/letter.ts";
import { letters } from "./letters/list.ts";
import { discardAll, replayAll, runOf, stopRun } from "./letters/runs.ts";
import { live as liveViews } from "./live.ts";
import { logIn } from "./log-in.ts";
import { routeMap } from "./map/map.ts";
import { presentTopology } from "./map/present-topology.ts";
import { mapView } from "./map/resource.ts";
import { original } from "./original.ts";
import type { Deed, Resource } from "./resource.ts";
import { forPeople, routes, type Handler, type Serving } from "./routes.ts";
import { send, sendForm } from "./send/send.ts";
import { busBehind, busGiven } from "./sources/bus.ts";
import { lagSource } from "./sources/lag.ts";
import { latestStats } from "./sources/latest.ts";
import { letterSource } from "./sources/letters.ts";
import { stops } from "./stop/list.ts";
import { pauseStop, resumeStop } from "./stop/pause.ts";
import { stop } from "./stop/stop.ts";
import { trips } from "./trips/find.ts";
import { trip } from "./trips/trip.ts";

export interface PageOptions {
  /** By their environment names; what is not given comes from the environment. */
  readonly settings?: Settings;
  /** The bus to show; default: the one that the settings name. Who gave it closes it. */
  readonly bus?: MetroBus;
}

/** An Express router, to be mounted under any path. */
export interface StatusPage extends Router {
  /** Connects to the bus, from when on bulk runs are carried out; else the first request has it do so. */
  begin(): void;
  /** Ends the live streams and the page's own connections. */
  end(): Promise<void>;
}

/**
 * The status page as a router. It is there before Redis and the bus are, and says what it can't show meanwhile.
 * @throws ConfigError
 * @example
 * const app = express();
 * app.use("/ops/bus", onlyForOurs, await statusPage());
 */
export async function statusPage({ settings = {}, bus: given }: PageOptions = {}): Promise<StatusPage> {
  const config = given?.config ?? loadConfig(settings);
  const log = given?.log ?? createLogger(config);
  const [stats, tripStore] = given
    ? [given.stats, given.trips]
    : [await openStats(settings), await openTrips(settings)];
  const bus = given ? busGiven(given) : busBehind(settings, log);
  const latest = latestStats(stats, log);
  const lag = lagSource(bus);
  const source = letterSource(bus);
  const map = routeMap(log);
  const live = liveViews({ failed: (error) => log.error({ err: error }, "a view could not be made") });
  const allowed = access(config.web, log);
  const tripSources = { latest, trips: tripStore, bus, lag };

  const present = presentTopology(latest, lag);
  const first = mapView(present, map, source);
  const resources: readonly Resource[] = [
    first,
    stops(latest),
    stop({ present, stats, trips: tripStore, lag }),
    trips(tripSources),
    trip(tripSources),
    letters(source),
    letter(source),
    runOf(source),
    audit(source),
    sendForm(latest),
  ];
  const deeds: readonly Deed[] = [
    pauseStop(stats),
    resumeStop(stats),
    replayAll(source),
    discardAll(source),
    replayLetter(source),
    discardLetter(source),
    stopRun(source),
    send(bus),
  ];
  const opened = async ({ path }: Request) => void (path === "/" && (await stats.hit().catch(() => 0)));
  const visitor: Serving["visitor"] = (request) => {
    bus.begin();
    return allowed.visitor(request);
  };
  const entry = logIn(allowed, { visitor, host: allowed.host });
  const isAlive: Handler = () => ({ json: { status: "ok" } });
  const more: Serving["more"] = {
    get: {
      ...entry.get,
      "/": (request) => original(request, latest, stats) ?? forPeople(first, request, serving),
      "/healthz": isAlive,
      async "/readyz"() {
        const { fault } = await latest.read();
        return fault ? { status: 503, json: { error: fault } } : { json: { status: "ok" } };
      },
    },
    post: entry.post,
  };
  const serving: Serving = { resources, deeds, live, visitor, host: allowed.host, opened, more };
  const page = router(routes(serving), log);
  return Object.assign(page, {
    begin: () => bus.begin(),
    async end() {
      live.close();
      await Promise.all([map.close(), source.close()]);
      await bus.close();
      if (!given) await Promise.all([stats.close(), tripStore.close()]);
    },
  });
}
