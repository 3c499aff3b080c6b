import type { Bus, Outgoing } from "../../bus.ts";
import { Unavailable } from "../../errors.ts";
import { orAborted } from "./persist.ts";
import type { Faults, Sender } from "./sender.ts";

interface Call {
  readonly records: readonly Outgoing[];
  readonly signal: AbortSignal;
}

/**
 * Sending from outside of a stop. Calls made while a request is under way go out together with the next one, in their
 * order, so that a caller for each message does not cost a request for each message.
 */
export function createSend(sender: Sender, timeoutMs: number): Bus["send"] {
  let underWay: Promise<unknown> = Promise.resolve();
  let next: { readonly calls: Call[]; readonly faults: Promise<Faults> } | null = null;

  function join(call: Call): Promise<Faults> {
    next ??= after(underWay);
    next.calls.push(call);
    return next.faults;
  }

  function after(last: Promise<unknown>) {
    const calls: Call[] = [];
    const faults = last.then(() => {
      next = null;
      return request(calls);
    });
    underWay = faults.catch(() => undefined);
    return { calls, faults };
  }

  async function request(calls: readonly Call[]): Promise<Faults> {
    const waiting = calls.filter(({ signal }) => !signal.aborted);
    const newest = waiting.at(-1);
    if (!newest) return new Map();
    const records = waiting.length === 1 ? newest.records : waiting.flatMap((call) => call.records);
    return await sender.send(records, newest.signal);
  }

  return async (messages) => {
    const deadline = new AbortController();
    const { signal } = deadline;
    const timer = setTimeout(() => deadline.abort(), timeoutMs);
    try {
      const fault = await sender.fault(messages, signal);
      if (fault) throw fault;
      const faults = await orAborted(join({ records: messages, signal }), signal);
      if (faults.size === 0) return;
      for (const why of messages.map((message) => faults.get(message))) if (why) throw why;
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new Unavailable(
        `${messages.length} messages could not be sent within ${timeoutMs / 1_000} s: some of them may have been`,
        error,
      );
    } finally {
      clearTimeout(timer);
    }
  };
}
