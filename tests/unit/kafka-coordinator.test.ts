import { createRequire } from "node:module";
import { expect, test } from "vitest";
import "../../runtime/buses/kafka/coordinator-repair.ts";

/** What kafkajs keeps to itself: a group member's positions, and where they are committed. */
interface OffsetManager {
  commitOffsets(offsets: object): Promise<void>;
}
type Make = new (options: object) => OffsetManager;
const OffsetManager = createRequire(import.meta.url)("kafkajs/src/consumer/offsetManager/index.js") as Make;

test("after a commit that the old coordinator refused, the next one goes to the new coordinator", async () => {
  const committed: unknown[] = [];
  const gone = Object.assign(new Error("not the coordinator"), { type: "NOT_COORDINATOR_FOR_GROUP" });
  const old = { isConnected: () => true, offsetCommit: () => Promise.reject(gone) };
  const now = { isConnected: () => true, offsetCommit: async (what: unknown) => void committed.push(what) };
  const manager = new OffsetManager({
    cluster: {
      refreshMetadata: async () => undefined,
      committedOffsets: () => ({ topic: {} }),
      findGroupCoordinator: async () => now,
    },
    coordinator: old,
    memberAssignment: { topic: [0] },
    instrumentationEmitter: { emit: () => undefined },
    groupId: "group",
    generationId: 7,
    memberId: "member",
  });
  const offsets = { topics: [{ topic: "topic", partitions: [{ partition: 0, offset: "5" }] }] };
  await expect(manager.commitOffsets(offsets)).rejects.toBe(gone);
  await manager.commitOffsets(offsets);
  expect(committed).toEqual([{ groupId: "group", memberId: "member", groupGenerationId: 7, ...offsets }]);
});
