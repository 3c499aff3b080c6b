import { sign, verify } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError } from "../../runtime/errors.ts";
import { hashPassword, isOperatorHash, signingKey, verifyingKey } from "../../runtime/operator-hash.ts";

/** The least that is taken: tests have many passwords to go through. */
const CHEAP = { log2N: 14, r: 8, p: 1 };

test("the right password opens a hash, and no other does", async () => {
  const hash = await hashPassword("correct horse battery");
  expect(await signingKey("correct horse battery", hash)).not.toBeNull();
  for (const wrong of ["Correct horse battery", "correct horse battery ", "", hash])
    expect(await signingKey(wrong, hash)).toBeNull();
});

test("what the password's key signs, the hash can check, and another hash of the same password can't", async () => {
  const [hash, other] = await Promise.all([
    hashPassword("correct horse battery"),
    hashPassword("correct horse battery"),
  ]);
  const signed = sign(null, Buffer.from("a"), (await signingKey("correct horse battery", hash!))!);
  expect(verify(null, Buffer.from("a"), verifyingKey(hash!), signed)).toBe(true);
  expect(verify(null, Buffer.from("b"), verifyingKey(hash!), signed)).toBe(false);
  expect(verify(null, Buffer.from("a"), verifyingKey(other!), signed)).toBe(false);
});

test("a password is the same however its accents are typed", async () => {
  const hash = await hashPassword("Zurück in Köln".normalize("NFD"), CHEAP);
  expect(await signingKey("Zurück in Köln".normalize("NFC"), hash)).not.toBeNull();
});

test("a hash is of any password, is never the same, and has nothing that a shell, a compose file or WEB_OPERATORS reads as its own", async () => {
  const hashes = new Set<string>();
  const password = fc.string({ minLength: 12, unit: "binary" });
  const makes = fc.asyncProperty(password, async (password) => {
    const hash = await hashPassword(password, CHEAP);
    expect(hash).toMatch(/^scrypt\.14\.8\.1\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$/);
    expect(isOperatorHash(hash)).toBe(true);
    expect(await signingKey(password, hash)).not.toBeNull();
    hashes.add(hash);
  });
  await fc.assert(makes, { numRuns: 20, endOnFailure: true });
  expect(hashes.size).toBe(20);
});

test("a password is too short by what a person counts, not by its bytes", async () => {
  await expect(hashPassword("🚋".repeat(11))).rejects.toThrow(ConfigError);
  await expect(hashPassword("hunter2")).rejects.toThrow(
    /^the password has fewer than 12 characters: choose a longer one$/,
  );
});

test.each([
  "",
  "hunter2",
  "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
  `scrypt.13.8.1.${"s".repeat(22)}.${"k".repeat(43)}`,
  `scrypt.40.8.1.${"s".repeat(22)}.${"k".repeat(43)}`,
  `scrypt.15.8.3.${"s".repeat(22)}.${"k".repeat(42)}`,
  `scrypt.15.8.3.${"s".repeat(22)}.${"k".repeat(42)}=`,
  ` scrypt.15.8.3.${"s".repeat(22)}.${"k".repeat(43)}`,
])("%j is no hash", (text) => expect(isOperatorHash(text)).toBe(false));
