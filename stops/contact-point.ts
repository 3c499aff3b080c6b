import { MetroStop, type StopContext } from "metrobus";
import { readAccounts } from "./accounts.ts";

const emails = new Map<number, string>();

/** Adds the account's e-mail address. */
export const contactPoint =
  (known: ReadonlyMap<number, string>) => (message: { account_number: number }, context: StopContext) => {
    const email = known.get(message.account_number);
    return email === undefined ? context.drop("unknown account") : { ...message, email };
  };

export const stop = new MetroStop("AddEmail", contactPoint(emails), { setup: () => readAccounts(emails) });

if (import.meta.main) await stop.run();
