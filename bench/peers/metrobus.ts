/** metrobus as it comes: what is not named in the setting has its default; counts go to Redis, logs to stderr. */
import { connect, MetroStop } from "metrobus";
import { z } from "zod";
import { answer, setting } from "./answer.ts";
import { callbacks } from "./callbacks.ts";

const {
  brokers,
  redis,
  topic,
  group,
  env,
  callback = "add a field",
  concurrency,
  withSchema,
  withSpans,
  stops,
} = setting;
if (withSpans) await import("./spans.ts");
const bus = await connect({ KAFKA_BROKERS: brokers, REDIS_URL: redis, LOG_FORMAT: "json", ...env });
const schema = z.looseObject({ n: z.number(), account_number: z.number().int(), text: z.string() });
const options = { bus, ...(concurrency && { concurrency }), ...(withSchema && { schema }) };

answer();
const all =
  stops === undefined
    ? [new MetroStop(topic, callbacks[callback], { ...options, group })]
    : Array.from(
        { length: stops },
        (_, n) => new MetroStop(`${topic}-${n}`, callbacks[callback], { ...options, group: `${group}-${n}` }),
      );
await Promise.all(all.map((stop) => stop.start()));
