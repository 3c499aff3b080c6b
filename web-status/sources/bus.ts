import { setTimeout as sleep } from "node:timers/promises";
import { asError, connect, MetrobusError, Unavailable, type Logger, type MetroBus, type Settings } from "metrobus";

/** The bus, which may be away when the page begins: the page is there before it, and says so. */
export interface BusSource {
  /** Throws Unavailable, with the reason, while there is no connection. */
  get(): MetroBus;
  /** Resolves when there is one, and never if it is closed before. */
  readonly ready: Promise<MetroBus>;
  /** Begins to connect, if nobody has. */
  begin(): void;
  close(): Promise<void>;
}

const AGAIN_MS = 2_000;
/** What is under way when the page ends holds the process for so long at most. */
const ATTEMPT = "5s";

/** Connects behind the page's back, again and again until it works. */
export function busBehind(settings: Settings, log: Logger): BusSource {
  const over = new AbortController();
  const ready = Promise.withResolvers<MetroBus>();
  let metro: MetroBus | undefined;
  let fault = "the connection to the bus is being made";
  let began = false;

  async function run(): Promise<void> {
    while (!over.signal.aborted) {
      try {
        const found = await connect({ ...settings, METROBUS_CONNECT_TIMEOUT: ATTEMPT });
        if (over.signal.aborted) return await found.close();
        metro = found;
        ready.resolve(found);
        return log.info("connected to the bus");
      } catch (error) {
        const said = error instanceof MetrobusError ? error.message : "the bus can't be reached: see the page's log";
        if (said !== fault) log.warn({ err: asError(error) }, "the page has no bus yet; it goes on trying");
        fault = said;
        await sleep(AGAIN_MS, undefined, { signal: over.signal }).catch(() => undefined);
      }
    }
  }

  return {
    begin() {
      if (!began) void run();
      began = true;
    },
    get() {
      if (!metro) throw new Unavailable(fault);
      return metro;
    },
    ready: ready.promise,
    async close() {
      over.abort();
      await metro?.close();
    },
  };
}

/** A bus that somebody else opens and closes. */
export const busGiven = (metro: MetroBus): BusSource => ({
  get: () => metro,
  ready: Promise.resolve(metro),
  begin: () => undefined,
  close: async () => undefined,
});
