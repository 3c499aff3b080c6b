import type { Admin, Kafka } from "kafkajs";
import { answered } from "./answered.ts";
import type { Client, NewClient } from "./client.ts";

/** One connection of kafkajs, lent to whoever has work for it. */
export interface Connection<T> {
  /** When `work` fails the connection is replaced: kafkajs may not recover from what happened. */
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
}

/** Connects when it is first used. */
export function connection<T extends Connectable>(newClient: NewClient, make: (kafka: Kafka) => T): Connection<T> {
  let open: Open<T> | undefined;
  const end = ({ client, inner }: Open<T>) => client.end(() => inner.disconnect());
  function connect(client: Client): Open<T> {
    const inner = make(client.kafka);
    return { client, inner, connected: inner.connect() };
  }
  return {
    async use(work) {
      const used = (open ??= connect(newClient()));
      try {
        return await answered(used.connected.then(() => work(used.inner)));
      } catch (error) {
        if (open === used) open = undefined;
        void end(used);
        throw error;
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
