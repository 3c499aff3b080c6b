import { MetroStop, type StopContext } from "metrobus";
import { accountBook } from "./accounts.ts";

const accounts = accountBook();

/** Adds the account's e-mail address. */
export const contactPoint =
  (emails: { get(account: number): string | undefined }) =>
  (message: { account_number: number }, context: StopContext) => {
    const email = emails.get(message.account_number);
    return email === undefined ? context.drop("unknown account") : { ...message, email };
  };

export const stop = new MetroStop("AddEmail", contactPoint(accounts), { setup: accounts.load });

if (import.meta.main) await stop.run();
