import { MetrobusError } from "metrobus";
import { readData } from "./data-file.ts";

const COMMA = 0x2c;
const NEWLINE = 0x0a;
const ZERO = 0x30;
const NINE = 0x39;
const isDigit = (byte: number | undefined) => byte !== undefined && byte >= ZERO && byte <= NINE;

const REMEDY = 'make it anew with "metrobus gen"';
/** So many bytes of a line that is none are shown. */
const SHOWN = 80;

function fault(path: string, file: Buffer, start: number, end: number): MetrobusError {
  const line = file.subarray(0, start).toString("latin1").split("\n").length;
  const text = JSON.stringify(file.toString("utf8", start, Math.min(end, start + SHOWN)));
  return new MetrobusError(`${path}, line ${line}: ${text} is not "account,email": correct it, or ${REMEDY}`);
}

/**
 * The accounts of emails.dat, `account,email` a line. The file stays in memory as it is, beside where each account's
 * address lies in it: 333,000 strings instead would take 30 MB more.
 */
export function accountBook() {
  let file: Buffer = Buffer.alloc(0);
  const addresses = new Map<number, number>();
  const lineEnd = (from: number) => {
    const newline = file.indexOf(NEWLINE, from);
    return newline < 0 ? file.length : newline;
  };
  return {
    get size(): number {
      return addresses.size;
    },
    /** Throws MetrobusError: no such file, nothing in it, or a line that is no account. */
    async load(): Promise<void> {
      const { path, bytes } = await readData("emails.dat");
      file = bytes;
      for (let start = 0; start < file.length;) {
        let account = 0;
        let comma = start;
        for (; isDigit(file[comma]); comma++) account = account * 10 + file[comma]! - ZERO;
        const end = lineEnd(comma);
        if (comma === start || file[comma] !== COMMA || end === comma + 1) throw fault(path, file, start, end);
        addresses.set(account, comma + 1);
        start = end + 1;
      }
      if (addresses.size === 0) throw new MetrobusError(`${path} has no accounts: ${REMEDY}`);
    },
    get(account: number): string | undefined {
      const address = addresses.get(account);
      return address === undefined ? undefined : file.toString("utf8", address, lineEnd(address));
    },
  };
}
