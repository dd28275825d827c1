import type { TokenFact } from "../../../core/doctor/identity/identity-facts.ts";
import type { Instant } from "../../../core/time.ts";
import { fieldsOf, textOf, textsOf } from "../evidence/documents.ts";

/** The claims of a JSON Web Token. Nothing else of it is kept. */
export function tokenIn(text: string): TokenFact {
  const [, payload, signature] = text.trim().split(".");
  if (payload === undefined || signature === undefined) return MALFORMED;
  try {
    const claims = fieldsOf(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")));
    const [issuer, subject] = [textOf(claims.iss), textOf(claims.sub)];
    return {
      kind: "claims",
      audiences: textsOf(claims.aud),
      ...(issuer !== undefined && { issuer }),
      ...(subject !== undefined && { subject }),
      ...(typeof claims.exp === "number" && { expiresAt: (claims.exp * 1_000) as Instant }),
    };
  } catch {
    return MALFORMED;
  }
}

const MALFORMED: TokenFact = { kind: "unreadable", code: "MALFORMED" };
