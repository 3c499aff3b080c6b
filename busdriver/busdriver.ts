import { MetrobusError, MetroStop, routed } from "metrobus";
import { routes, topics } from "./routes.ts";

/** Gives a message its route by its type. An unknown type is a dead letter that names it. */
export function busdriver(message: { message_type_code?: unknown } | null) {
  const type = message?.message_type_code;
  const route = typeof type === "string" && routes.get(type);
  if (message && route) return routed(message, route);
  throw new MetrobusError(
    `no route for message_type_code ${JSON.stringify(type)}: correct the message, or add the type to busdriver/routes.ts`,
    { reason: "unknown message type" },
  );
}

export const stop = new MetroStop("Source", busdriver, { input: "raw", creates: topics });

if (import.meta.main) await stop.run();
