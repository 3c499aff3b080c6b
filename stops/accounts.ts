import { MetrobusError } from "metrobus";
import { readData } from "./data-file.ts";

/** Reads emails.dat, `account,email` a line, into `emails`. Throws MetrobusError: missing, or a line that is none. */
export async function readAccounts(emails: Map<number, string>): Promise<void> {
  const { path, text } = await readData("emails.dat");
  // Line by line in place: to split 333,000 lines first would take half as much memory again.
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    const comma = text.indexOf(",", start);
    const account = Number(text.slice(start, comma));
    if (comma <= start || comma > end || !Number.isInteger(account))
      throw new MetrobusError(`${path}: ${JSON.stringify(text.slice(start, end))} is not "account,email"`);
    emails.set(account, text.slice(comma + 1, end));
    start = end + 1;
  }
}
