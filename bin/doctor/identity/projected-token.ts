import type { TokenFact } from "../../../core/doctor/identity/identity-facts.ts";
import type { Instant } from "../../../core/time.ts";
import { type Fields, fieldsOf, textOf, textsOf } from "../evidence/documents.ts";

/** Whether a text has the form of a JSON Web Token. */
export const isToken = (text: string): boolean => /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$/.test(text);

/** The claims of a JSON Web Token. Nothing else of it is kept. */
export function tokenIn(text: string): TokenFact {
  const [, payload, signature] = text.trim().split(".");
  if (payload === undefined || signature === undefined) return MALFORMED;
  try {
    return claimsIn(fieldsOf(JSON.parse(Buffer.from(payload, "base64url").toString("utf8"))));
  } catch {
    return MALFORMED;
  }
}

/** The claims of a token, as JSON has them. */
export function claimsIn(claims: Fields): TokenFact {
  const texts = {
    issuer: textOf(claims.iss),
    subject: textOf(claims.sub),
    authorizedParty: textOf(claims.azp),
  };
  return {
    kind: "claims",
    audiences: textsOf(claims.aud),
    ...Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined)),
    ...(isTime(claims.exp) && { expiresAt: (claims.exp * 1_000) as Instant }),
  };
}

/** Seconds since 1970, no further away than a date can be. */
const isTime = (value: unknown): value is number =>
  typeof value === "number" && !Number.isNaN(new Date(value * 1_000).getTime());

const MALFORMED: TokenFact = { kind: "unreadable", code: "MALFORMED" };
