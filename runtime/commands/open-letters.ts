import { ConfigError } from "../errors.ts";
import { connect, deadLetters, type DeadLetters } from "../index.ts";

export async function openLetters(): Promise<AsyncDisposable & { readonly letters: DeadLetters }> {
  const bus = await connect();
  if (bus.config.bus === "memory") {
    await bus.close();
    throw new ConfigError(["METROBUS_BUS=memory: that bus ends with its process, and its dead letters with it"]);
  }
  return { letters: deadLetters(bus), [Symbol.asyncDispose]: () => bus.close() };
}
