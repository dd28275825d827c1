import { createRemoteJWKSet, decodeJwt, errors, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../clock.ts";
import type { TokenIssuers } from "./token-issuers.ts";

/** What the check of a token's signature found. */
export type Signature = "valid" | "invalid" | "no keys";

/** The claims of a token, which nobody has checked. Undefined if the text is no token. */
export function claimsIn(token: string): JWTPayload | undefined {
  try {
    return decodeJwt(token);
  } catch {
    return undefined;
  }
}

/** Seconds since the epoch at which a token ends, and now. Undefined while it is valid. */
export function expiry(
  { exp = 0 }: JWTPayload,
  clock: Clock,
): { readonly now: number; readonly exp: number } | undefined {
  const now = Math.floor(clock.now() / 1_000);
  return now < exp ? undefined : { now, exp };
}

/** Checks signatures by the keys that issuers publish. */
export class TokenCheck {
  readonly #issuers: TokenIssuers;
  readonly #clock: Clock;
  /** By issuer. Kept, as AWS keeps them, so that not every check fetches them. */
  readonly #keys = new Map<string, ReturnType<typeof createRemoteJWKSet>>();

  constructor(issuers: TokenIssuers, clock: Clock) {
    this.#issuers = issuers;
    this.#clock = clock;
  }

  /** Whether a token was signed by a key that this issuer publishes, and is valid now. */
  async signature(token: string, issuer: string): Promise<Signature> {
    const keys = await this.#keysOf(issuer);
    if (keys === undefined) return "no keys";
    try {
      await jwtVerify(token, keys, { currentDate: new Date(this.#clock.now()), issuer });
      return "valid";
    } catch (error) {
      if (error instanceof errors.JOSEError) return "invalid";
      throw error;
    }
  }

  async #keysOf(issuer: string): Promise<ReturnType<typeof createRemoteJWKSet> | undefined> {
    const known = this.#keys.get(issuer);
    if (known !== undefined) return known;
    const address = this.#issuers.discovery(issuer);
    const reply = address === undefined ? undefined : await fetch(address).catch(() => undefined);
    if (reply?.ok !== true) return undefined;
    const { issuer: itself, jwks_uri: uri } = (await reply.json()) as Discovery;
    if (itself !== issuer || uri === undefined) return undefined;
    const keys = createRemoteJWKSet(new URL(uri), { cooldownDuration: 0 });
    this.#keys.set(issuer, keys);
    return keys;
  }
}

interface Discovery {
  readonly issuer?: string;
  readonly jwks_uri?: string;
}
