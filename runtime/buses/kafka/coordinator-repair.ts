import { createRequire } from "node:module";

/**
 * A repair of kafkajs 2.2.4 in memory. When a group's coordinator moves, and the new one is still loading the group, kafkajs
 * goes on in the generation it had: its heartbeats go to the new coordinator, which knows it, and its commits to the old one,
 * which refuses them for ever. After a commit that has failed, the coordinator is looked for. The generation stays with the
 * commit: who is no member any more is refused by the new one too.
 */

interface OffsetManager {
  readonly groupId: string;
  readonly cluster: { findGroupCoordinator(which: { groupId: string }): Promise<unknown> };
  coordinator: unknown;
  commitOffsets(this: OffsetManager, offsets?: object): Promise<void>;
}

const { prototype: manager } = createRequire(import.meta.url)("kafkajs/src/consumer/offsetManager/index.js") as {
  prototype: OffsetManager;
};
const { commitOffsets } = manager;
manager.commitOffsets = async function (offsets) {
  try {
    await commitOffsets.call(this, offsets);
  } catch (error) {
    const { groupId, cluster, coordinator } = this;
    this.coordinator = await cluster.findGroupCoordinator({ groupId }).catch(() => coordinator);
    throw error;
  }
};
