/** Which stops a message visits, in travel order, by its `message_type_code`. Add a line for a new type of message. */
export const routes: ReadonlyMap<string, readonly string[]> = new Map([["ALTABC", ["AddEmail", "WhiteList", "Log"]]]);

/** Every topic that the table names, once. */
export const topics: readonly string[] = [...new Set([...routes.values()].flat())];
