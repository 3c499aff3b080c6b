import { createHash } from "node:crypto";
import { ErrorReply } from "@redis/client";
import type { RedisClient } from "./connection.ts";

/** A script on Redis: what it returns. `args` that are numbers go as text. */
export type Script = (
  client: RedisClient,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<unknown>;

/**
 * A script in Lua, sent by its hash; in full when Redis does not have it (yet, or after a restart). Not by the client's own scripts: of
 * each set of these it makes a class with all of its commands, which takes 20 MB.
 */
export function script(text: string): Script {
  const sha1 = createHash("sha1").update(text).digest("hex");
  return async (client, keys, args) => {
    const given = { keys: [...keys], arguments: args.map(String) };
    try {
      return await client.evalSha(sha1, given);
    } catch (error) {
      if (!(error instanceof ErrorReply) || !error.message.startsWith("NOSCRIPT")) throw error;
      return await client.eval(text, given);
    }
  };
}
