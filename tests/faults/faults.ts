import { brokers } from "./kinds/brokers.ts";
import { clock } from "./kinds/clock.ts";
import { messages } from "./kinds/messages.ts";
import { network } from "./kinds/network.ts";
import { processes } from "./kinds/processes.ts";
import { redis } from "./kinds/redis.ts";
import { steps } from "./kinds/steps.ts";
import { topics } from "./kinds/topics.ts";
import type { Line } from "./line.ts";
import type { Delivery } from "metrobus";

/** Something bad that happens to a line under load; it is over, or healed, when `run` resolves. */
export interface Fault {
  run(line: Line): Promise<void>;
  /** Needs three brokers. */
  readonly brokers?: 3;
  /** Of one delivery only. */
  readonly delivery?: Delivery;
  /** Processes a stop. Default: 2. */
  readonly instances?: number;
  /** Peers go through it too. */
  readonly peers?: true;
  /** Why it can't be on this machine; null: it can. */
  readonly missing?: () => string | null;
}

/** All that is tried, by name. A new one is a line in its kind's table. */
export const faults: Readonly<Record<string, Fault>> = {
  ...processes,
  ...steps,
  ...brokers,
  ...network,
  ...redis,
  ...topics,
  ...messages,
  ...clock,
};
