import { createHash } from "node:crypto";
import { ErrorReply } from "@redis/client";
import type { Client } from "./client.ts";

/** A script on Redis: what it returns. `args` that are numbers go as text. */
export type Script = (client: Client, keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;

/** A script in Lua, sent by its hash; in full when Redis does not have it (yet, or after a restart). */
export function script(text: string): Script {
  const sha1 = createHash("sha1").update(text).digest("hex");
  return async (client, keys, args) => {
    const given = args.map(String);
    try {
      return await client.evalSha(sha1, keys, given);
    } catch (error) {
      if (!(error instanceof ErrorReply) || !error.message.startsWith("NOSCRIPT")) throw error;
      return await client.eval(text, keys, given);
    }
  };
}
