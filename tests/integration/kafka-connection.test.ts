import { expect, describe, inject, test } from "vitest";
import { clientFactory } from "../../runtime/buses/kafka/client.ts";
import { adminConnection } from "../../runtime/buses/kafka/connection.ts";
import { typeOf } from "../../runtime/buses/kafka/failures.ts";
import { loadConfig } from "../../runtime/config.ts";
import { createLogger } from "../../runtime/logger.ts";
import { openKafkaBus } from "../support/kafka-bus.ts";
import { unique } from "../support/probe.ts";

const brokers = inject("kafka");
const SIDE_BY_SIDE = 50;

describe.skipIf(!brokers)("a connection that many use at once (skipped without Docker)", () => {
  test("one whose work fails takes nothing from the others, and whoever comes next has a new one", async () => {
    const bus = await openKafkaBus(brokers!);
    const topics = Array.from({ length: SIDE_BY_SIDE }, () => unique("topic"));
    await bus.create(topics.map((topic) => ({ topic, partitions: 1 })));
    await bus.close();
    const newClient = clientFactory(
      loadConfig({ METROBUS_BUS: "kafka", KAFKA_BROKERS: brokers! }, {}),
      createLogger({ logLevel: "silent", logFormat: "json" }),
    );
    // The groups are all new: their coordinators are found while the connection fails.
    for (let afterMs = 10; afterMs <= 100; afterMs += 10) {
      const admin = adminConnection(newClient);
      const asked = topics.map((topic) =>
        admin
          .use((open) =>
            Promise.all([
              open.fetchTopicOffsets(topic),
              open.fetchOffsets({ groupId: unique("group"), topics: [topic] }),
            ]),
          )
          // A broker that has just begun says so, which is an answer.
          .catch((error: unknown) => expect(typeOf(error)).toBe("GROUP_LOAD_IN_PROGRESS")),
      );
      const failed = admin.use(async () => {
        await new Promise((resolve) => setTimeout(resolve, afterMs));
        throw new Error("as it was to");
      });
      await expect(failed).rejects.toThrow("as it was to");
      const next = admin.use((open) => open.listTopics());
      expect(await Promise.all(asked)).toHaveLength(SIDE_BY_SIDE);
      expect(await next).toEqual(expect.arrayContaining(topics));
      await admin.close();
    }
  });
});
