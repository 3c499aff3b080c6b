import { hostname, userInfo } from "node:os";

/** This process's user and host, for records of what was asked for. A container may run under a user that has no name. */
export function whoAsks(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return hostname();
  }
}
