import { randomUUID } from "node:crypto";
import type { Received } from "../../bus.ts";
import type { AdminConnection } from "./connection.ts";
import type { NewClient } from "./client.ts";
import { receive } from "./receive.ts";

export interface ReadSetting {
  readonly topic: string;
  readonly lane: string;
  readonly from: bigint;
  readonly limit: number;
  readonly admin: AdminConnection;
  readonly newClient: NewClient;
  /** kafkajs reads in groups only: this one has a random name after it, commits nothing and is gone when it is left. */
  readonly groupPrefix: string;
}

/** At most `limit` records from a position on, up to where the lane ends now. The topic has to exist. */
export async function* read({
  topic,
  lane,
  from,
  limit,
  admin,
  newClient,
  groupPrefix,
}: ReadSetting): AsyncIterable<Received> {
  const bounds = await admin.use((open) => open.fetchTopicOffsets(topic));
  const found = bounds.find(({ partition }) => String(partition) === lane);
  const [low, end] = [Number(found?.low ?? 0), Number(found?.high ?? 0)];
  let next = Math.max(Number(from), low);
  if (!found || next >= end || limit <= 0) return;

  const { partition } = found;
  const client = newClient();
  const consumer = client.kafka.consumer({
    groupId: `${groupPrefix}.read.${randomUUID()}`,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    retry: { restartOnFailure: () => Promise.resolve(false) },
  });
  const others = bounds.map((bound) => bound.partition).filter((other) => other !== partition);
  let waiting: Received[] = [];
  let news = Promise.withResolvers<void>();
  const pause = (...partitions: number[]) => consumer.pause([{ topic, partitions }]);

  consumer.on(consumer.events.GROUP_JOIN, () => {
    pause(...others);
    consumer.seek({ topic, partition, offset: String(next) });
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => news.reject(payload.error));
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        if (batch.partition !== partition) return;
        // Not spread into push: a fetch can hold more records than a function takes.
        waiting = waiting.concat(receive(batch, next));
        next = Math.max(next, Number(batch.lastOffset()) + 1);
        // Whoever reads may take long over what it has.
        pause(partition);
        news.resolve();
      },
    });
    for (let given = 0; ;) {
      await news.promise;
      news = Promise.withResolvers<void>();
      const records = waiting;
      waiting = [];
      for (const record of records) {
        if (Number(record.position) >= end) return;
        yield record;
        if (++given >= limit) return;
      }
      if (next >= end) return;
      consumer.resume([{ topic, partitions: [partition] }]);
    }
  } finally {
    await client.end(() => consumer.disconnect());
  }
}
