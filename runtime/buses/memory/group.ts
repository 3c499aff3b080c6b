import { until } from "../../backoff.ts";
import type { Batch, ConsumeOptions, Delivery, Subscription } from "../../bus.ts";
import type { Lane } from "./lane.ts";
import { Lease, type Holder, type Sending } from "./lease.ts";

interface Member {
  readonly leases: Map<Lane, Lease>;
  take(lane: Lane): void;
}

/** The members that share a topic's lanes. Where the group stands is kept by the lanes, so it outlives the members. */
export class Group {
  readonly name: string;
  readonly topic: string;
  readonly #lanes: readonly Lane[];
  readonly #members: Member[] = [];

  constructor({ topic, group, start }: ConsumeOptions, lanes: readonly Lane[]) {
    this.name = group;
    this.topic = topic;
    this.#lanes = lanes;
    for (const lane of lanes) lane.mark(group, start === "earliest" ? lane.low : lane.end);
  }

  join(member: Member): void {
    this.#members.push(member);
    this.#share("another member has joined the group");
  }

  leave(member: Member): void {
    const at = this.#members.indexOf(member);
    if (at < 0) return;
    this.#members.splice(at, 1);
    for (const lease of member.leases.values()) lease.end("the subscription has ended");
    member.leases.clear();
    this.#share("a member has left the group");
  }

  /** Every member leaves. */
  end(): void {
    while (this.#members.length > 0) this.leave(this.#members[0]!);
  }

  #share(why: string): void {
    for (const [at, lane] of this.#lanes.entries()) {
      const owner = this.#members[at % this.#members.length];
      for (const member of this.#members) {
        if (member === owner) continue;
        member.leases.get(lane)?.end(why);
        member.leases.delete(lane);
      }
      if (owner && !owner.leases.has(lane)) owner.take(lane);
    }
  }
}

/** Joins the group. */
export function subscribe(
  group: Group,
  delivery: Delivery,
  onBatch: (batch: Batch) => Promise<void>,
  sending: Sending,
): Subscription {
  const failed = Promise.withResolvers<Error>();
  const idle = Promise.withResolvers<void>();
  /** Those of our lanes, and those lost while a batch was running. */
  const busy = new Set<Lease>();
  let open = true;
  const holder: Holder = {
    group: group.name,
    delivery,
    onBatch,
    ...sending,
    open: () => open,
    changed(lease) {
      if (lease.idle) busy.delete(lease);
      else busy.add(lease);
      if (!open && busy.size === 0) idle.resolve();
    },
    fail(error) {
      open = false;
      group.leave(member);
      failed.resolve(error);
    },
  };
  const member: Member = { leases: new Map(), take: (lane) => member.leases.set(lane, new Lease(lane, holder)) };
  group.join(member);
  return {
    lanes: () => [...member.leases.values()].map((lease) => lease.state()),
    failed: failed.promise,
    async stop(deadline, work) {
      open = false;
      if (busy.size === 0) idle.resolve();
      await until(deadline, Promise.all([idle.promise, work]));
      group.leave(member);
    },
  };
}
