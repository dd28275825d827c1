import { randomUUID } from "node:crypto";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { issuerName } from "../../core/aws/workload-identity.ts";
import type { Clock } from "../clock.ts";
import { type ApiReply, jsonReply, type UnsignedService } from "../http/protocols.ts";
import type { RawRequest } from "../http/request-schema.ts";

/** The claims of a token, besides `iss`, `iat` and `exp`. */
export type Claims = JWTPayload;

/** Somebody who signs tokens: a cluster, or a CI service. */
export interface TokenIssuer {
  readonly url: string;
  /** A signed token. @param seconds how long it is valid; 3,600 if left out. */
  sign(claims: Claims, seconds?: number): Promise<string>;
}

const ALGORITHM = "RS256";
const ROOT = "/oidc/";
const DISCOVERY = "/.well-known/openid-configuration";
const KEYS = "/keys";

/**
 * Issuers that the runner stands for, whatever their URL. Each has a key of its own, and publishes
 * it under the runner's address, as the real one does under its URL.
 */
export class TokenIssuers implements UnsignedService {
  readonly #clock: Clock;
  readonly #endpoint: () => string;
  readonly #issuers = new Map<string, SigningIssuer>();

  constructor(clock: Clock, endpoint: () => string) {
    this.#clock = clock;
    this.#endpoint = endpoint;
  }

  /** The issuer with this URL. From now on, the runner finds its keys. */
  of(url: string): TokenIssuer {
    const known = this.#issuers.get(issuerName(url));
    if (known !== undefined) return known;
    const issuer = new SigningIssuer(url, this.#clock);
    this.#issuers.set(issuerName(url), issuer);
    return issuer;
  }

  /**
   * Where the discovery document of an issuer is. Undefined for an issuer that neither the runner
   * nor another program of this machine stands for: nothing leaves the machine.
   */
  discovery(issuer: string): string | undefined {
    if (this.#issuers.has(issuerName(issuer)))
      return `${this.#endpoint()}${ROOT}${issuerName(issuer)}${DISCOVERY}`;
    return /^http:\/\/(?:127\.0\.0\.1|localhost)(?::\d+)?(?:\/|$)/.test(issuer)
      ? `${issuer.replace(/\/$/, "")}${DISCOVERY}`
      : undefined;
  }

  answers({ url: { pathname } }: RawRequest): boolean {
    return pathname.startsWith(ROOT);
  }

  async answer({ url: { pathname } }: RawRequest): Promise<ApiReply> {
    for (const end of [DISCOVERY, KEYS]) {
      const issuer = this.#issuers.get(pathname.slice(ROOT.length, -end.length));
      if (issuer === undefined || !pathname.endsWith(end)) continue;
      if (end === KEYS) return jsonReply({ keys: [await issuer.publicKey()] });
      return jsonReply({
        issuer: issuer.url,
        jwks_uri: `${this.#endpoint()}${ROOT}${issuerName(issuer.url)}${KEYS}`,
        response_types_supported: ["id_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: [ALGORITHM],
      });
    }
    return jsonReply({ message: `the runner stands for no issuer at ${pathname}` }, 404);
  }

  refuse(error: Error): ApiReply {
    return jsonReply({ message: error.message }, 400);
  }
}

class SigningIssuer implements TokenIssuer {
  readonly url: string;
  readonly #clock: Clock;
  readonly #keyId = randomUUID();
  #keys: ReturnType<typeof generateKeyPair> | undefined;

  constructor(url: string, clock: Clock) {
    this.url = url;
    this.#clock = clock;
  }

  async sign(claims: Claims, seconds = 3_600): Promise<string> {
    const now = Math.floor(this.#clock.now() / 1_000);
    return new SignJWT({ iat: now, exp: now + seconds, ...claims, iss: this.url })
      .setProtectedHeader({ alg: ALGORITHM, kid: this.#keyId })
      .sign((await this.#pair()).privateKey);
  }

  async publicKey(): Promise<object> {
    const key = await exportJWK((await this.#pair()).publicKey);
    return { ...key, kid: this.#keyId, alg: ALGORITHM, use: "sig" };
  }

  /** Made when it is needed: most runs need none, and it takes a while. */
  #pair(): ReturnType<typeof generateKeyPair> {
    this.#keys ??= generateKeyPair(ALGORITHM);
    return this.#keys;
  }
}
