import { randomBytes } from "node:crypto";
import { exactJson } from "metrobus";
import { z } from "zod";
import { deed, NotDone, resource, type Deed, type Resource, type Shown } from "../resource.ts";
import { stopsOf } from "../letters/schemas.ts";
import { optional } from "../schemas.ts";
import type { BusSource } from "../sources/bus.ts";
import type { LatestStats } from "../sources/latest.ts";
import { topicsOf } from "../sources/topics.ts";
import { view } from "../views.ts";

const sendPage = view("send");

const answer = z.object({ topics: z.array(z.string()).describe("Those that are known to be stops'") });

/** A form for a message, to try the pipeline. */
export const sendForm = (latest: LatestStats): Resource =>
  resource({
    path: "/send",
    summary: "The topics that a message can be sent to",
    query: z.object({ topic: z.string().max(249).optional() }),
    answer,
    isStill: true,
    title: () => "Send a message",
    show: (found: z.infer<typeof answer>, shown: Shown) => sendPage({ ...shown, ...found }),
    async read() {
      const { snapshot } = await latest.read();
      return { topics: snapshot ? topicsOf(snapshot).toSorted() : [] };
    },
  });

/** Its key finds it again: its id is known only where it boards. */
export const send = (bus: BusSource): Deed =>
  deed({
    path: "/send",
    summary: "Send a message",
    body: z.object({
      topic: z.string().trim().min(1, "say which topic"),
      payload: z.string().describe("JSON text"),
      key: optional(z.string().max(1_024)).describe("Default: one of its own"),
      route: optional(z.string())
        .transform((text) => (text?.trim() ? stopsOf(text) : undefined))
        .describe(
          "The stops to visit after it, with commas between; default: it is raw, and a busdriver gives it a route",
        ),
    }),
    answer: z.object({ key: z.string() }),
    async run({ topic, payload, key = `test-${randomBytes(4).toString("hex")}`, route }) {
      await bus.get().send(topic, parsed(payload), { key, ...(route && { route }) });
      return { key };
    },
    next: ({ key }) => `/trips?${new URLSearchParams({ key }).toString()}`,
  });

function parsed(payload: string): unknown {
  try {
    return exactJson(payload);
  } catch (error) {
    throw new NotDone(`the payload is not JSON: ${(error as Error).message}`);
  }
}
