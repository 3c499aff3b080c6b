import { createPrivateKey, createPublicKey, randomBytes, scrypt, timingSafeEqual, type KeyObject } from "node:crypto";
import { ConfigError } from "./errors.ts";

/**
 * What is kept of an operator's password: `scrypt.<log2 N>.<r>.<p>.<salt>.<public key>`, the last two in base64url, so that no shell and
 * no compose file changes it. scrypt makes of the password the private half of an Ed25519 key: whoever reads the hash can check what the
 * operator's key has signed, and can sign nothing himself.
 */
const FORMAT = /^scrypt\.(1[4-7])\.(8)\.([1-9])\.([\w-]{22})\.([\w-]{43})$/;

/** As OWASP has it: 32 MB and some 0.3 s for each guess. */
const COST = { log2N: 15, r: 8, p: 3 };
const LEAST_CHARACTERS = 12;
/** Before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410). */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");

export const isOperatorName = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/.test(text);
export const isOperatorHash = (text: string): boolean => FORMAT.test(text);

/**
 * What stands behind the name in `WEB_OPERATORS`: another text each time, by its salt. The second argument is scrypt's cost.
 * @throws ConfigError when the password has fewer than 12 characters.
 */
export async function hashPassword(password: string, { log2N, r, p } = COST): Promise<string> {
  if (Array.from(password).length < LEAST_CHARACTERS)
    throw new ConfigError([`the password has fewer than ${LEAST_CHARACTERS} characters: choose a longer one`]);
  const head = `scrypt.${log2N}.${r}.${p}.${randomBytes(16).toString("base64url")}`;
  return `${head}.${publicHalf(await privateKeyOf(password, head)).toString("base64url")}`;
}

/** The private key that the hash was made with; null: it is another password. `hash`: one that `isOperatorHash`. */
export async function signingKey(password: string, hash: string): Promise<KeyObject | null> {
  const key = await privateKeyOf(password, hash);
  return timingSafeEqual(publicHalf(key), Buffer.from(hash.split(".")[5]!, "base64url")) ? key : null;
}

/** Checks what the key of `signingKey` has signed. `hash`: one that `isOperatorHash`. */
export function verifyingKey(hash: string): KeyObject {
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: hash.split(".")[5]! }, format: "jwk" });
}

async function privateKeyOf(password: string, hash: string): Promise<KeyObject> {
  const [, log2N, r, p, salt] = hash.split(".") as [string, string, string, string, string];
  const cost = { N: 2 ** Number(log2N), r: Number(r), p: Number(p) };
  const seed = await new Promise<Buffer>((resolve, reject) => {
    const options = { ...cost, maxmem: 256 * cost.N * cost.r };
    const done = (error: Error | null, key: Buffer) => (error ? reject(error) : resolve(key));
    scrypt(password.normalize("NFC"), Buffer.from(salt, "base64url"), 32, options, done);
  });
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: "der", type: "pkcs8" });
}

function publicHalf(key: KeyObject): Buffer {
  return Buffer.from(createPublicKey(key).export({ format: "jwk" }).x!, "base64url");
}
