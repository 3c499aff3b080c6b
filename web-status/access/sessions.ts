import type { KeyObject } from "node:crypto";
import { errors, jwtVerify, SignJWT } from "jose";
import { verifyingKey } from "metrobus";
import { SESSION_S } from "./cookie.ts";

/**
 * A session is a token (JWT) that the operator's own key has signed as he logged in. Every page that has his hash can check it, and
 * none needs to remember it; with another hash, or none, it is void.
 */
export function sessions(operators: ReadonlyMap<string, string>) {
  const keys = new Map([...operators].map(([name, hash]) => [name, verifyingKey(hash)]));
  const keyOf = ({ kid = "" }) => {
    const key = keys.get(kid);
    if (!key) throw new errors.JWKSNoMatchingKey();
    return key;
  };
  return {
    issue: (name: string, key: KeyObject): Promise<string> =>
      new SignJWT()
        .setProtectedHeader({ alg: "Ed25519", kid: name })
        .setAudience("metrobus")
        .setExpirationTime(`${SESSION_S} s`)
        .sign(key),

    /** Whose session it is; null: nobody's, or not any more. */
    async operator(token: string | null): Promise<string | null> {
      if (token === null) return null;
      const rules = { algorithms: ["Ed25519"], audience: "metrobus", requiredClaims: ["exp"] };
      try {
        return (await jwtVerify(token, keyOf, rules)).protectedHeader.kid!;
      } catch (error) {
        if (error instanceof errors.JOSEError) return null;
        throw error;
      }
    },
  };
}
