import type { Admin, Kafka } from "kafkajs";
import { answered } from "./answered.ts";
import type { Client, NewClient } from "./client.ts";

/** One connection of kafkajs, lent to whoever has work for it. */
export interface Connection<T> {
  /**
   * When `work` fails the connection is replaced, since kafkajs may not recover from what happened. It is closed when all
   * other work on it has ended: closed under it, kafkajs would forget to answer some of that.
   */
  use<R>(work: (connected: T) => Promise<R>): Promise<R>;
  close(): Promise<void>;
}

interface Connectable {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
}

interface Open<T> {
  readonly client: Client;
  readonly inner: T;
  readonly connected: Promise<void>;
  users: number;
  failed: boolean;
}

/** Connects when it is first used. */
export function connection<T extends Connectable>(newClient: NewClient, make: (kafka: Kafka) => T): Connection<T> {
  let open: Open<T> | undefined;
  const end = ({ client, inner }: Open<T>) => client.end(() => inner.disconnect());
  function connect(client: Client): Open<T> {
    const inner = make(client.kafka);
    return { client, inner, connected: inner.connect(), users: 0, failed: false };
  }
  return {
    async use(work) {
      const used = (open ??= connect(newClient()));
      used.users++;
      try {
        return await answered(used.connected.then(() => work(used.inner)));
      } catch (error) {
        if (open === used) open = undefined;
        used.failed = true;
        throw error;
      } finally {
        used.users--;
        if (used.failed && used.users === 0) void end(used);
      }
    },
    async close() {
      if (open) await end(open);
      open = undefined;
    },
  };
}

export type AdminConnection = Connection<Admin>;

export const adminConnection = (newClient: NewClient): AdminConnection =>
  connection(newClient, (kafka) => kafka.admin({ retry: { retries: 2 } }));
