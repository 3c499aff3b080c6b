import { setTimeout as sleep } from "node:timers/promises";
import type { StopContext } from "metrobus";

/** What the stops that are measured do with a message. */
export const callbacks = {
  "add a field": (message: object) => ({ ...message, seen: true }),
  return: (message: object) => message,
  pass: (_message: object, context: StopContext) => context.pass(),
  "wait 5 ms": async (message: object) => {
    await sleep(5);
    return { ...message, seen: true };
  },
};

export type Callback = keyof typeof callbacks;
