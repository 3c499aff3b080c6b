import type { Admin } from "kafkajs";
import type { Client, NewClient } from "./client.ts";

export interface AdminConnection {
  /** Lends the one admin connection. When `work` fails it is replaced: kafkajs may not recover from what happened. */
  use<T>(work: (admin: Admin) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

interface Open {
  readonly client: Client;
  readonly admin: Admin;
  readonly connected: Promise<void>;
}

export function adminConnection(newClient: NewClient): AdminConnection {
  let open: Open | undefined;
  const end = ({ client, admin }: Open) => client.end(() => admin.disconnect());
  return {
    async use(work) {
      const used = (open ??= connect(newClient()));
      try {
        await used.connected;
        return await work(used.admin);
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

function connect(client: Client): Open {
  const admin = client.kafka.admin({ retry: { retries: 2 } });
  return { client, admin, connected: admin.connect() };
}
