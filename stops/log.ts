import { loadConfig, MetroStop, type StopContext } from "metrobus";
import { elastic, type IndexDocument } from "./elastic.ts";
import { linePrinter } from "./print-lines.ts";

export interface LogTarget {
  /** A promise is awaited: the message is logged when it resolves. */
  print(line: string): unknown;
  index?: IndexDocument;
}

/**
 * Adds the time, indexes the message where there is an index, and prints it as a line of JSON. A payload that has no
 * fields is logged as `{ payload, metrobus_inserted_timestamp }`.
 */
export const log = (target: LogTarget) => async (message: unknown, context: StopContext) => {
  const logged = { ...fields(message), metrobus_inserted_timestamp: Date.now() };
  // The day it boarded is the same on a redelivery: the message takes its own place, even after midnight.
  const at = context.header?.boarded ?? logged.metrobus_inserted_timestamp;
  await target.index?.({ id: context.id, at, body: logged }, context.signal);
  await target.print(JSON.stringify(logged));
  return logged;
};

const fields = (message: unknown): object =>
  typeof message === "object" && message !== null && !Array.isArray(message) ? message : { payload: message };

const target: LogTarget = { print: () => {} };

/** Many at once fill the index's batches; the retries wait for an index that is away for half a minute. */
export const logOptions = { concurrency: 500, retries: { attempts: 10, baseMs: 500, capMs: 10_000 } };

export const stop = new MetroStop("Log", log(target), {
  ...logOptions,
  setup: async () => {
    target.print = linePrinter(process.stdout);
    const { elastic: url } = loadConfig();
    if (url) target.index = elastic(url);
  },
});

if (import.meta.main) await stop.run();
