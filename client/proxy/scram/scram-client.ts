import { timingSafeEqual } from "node:crypto";
import type { Secret } from "../../../core/secret.ts";
import type { KnownKeys } from "./known-keys.ts";
import { ScramFailure } from "./scram-failure.ts";
import { hmacSha256, KEY_BYTES, LEAST_ITERATIONS, MOST_ITERATIONS, xor } from "./scram-keys.ts";

export const SCRAM = "SCRAM-SHA-256";
export const SCRAM_PLUS = "SCRAM-SHA-256-PLUS";

/** Nonce, salt, iterations. RFC 5802 section 7, "server-first-message", without extensions. */
const SERVER_FIRST =
  /^r=([\x21-\x2b\x2d-\x7e]+),s=((?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/=]{4}),i=([1-9]\d{0,9})$/;
const SERVER_FINAL = /^v=([A-Za-z0-9+/]{43}=)$/;

/** One login of ours, to a server that offers SASL. */
export interface ScramLogin {
  readonly username: string;
  readonly password: Secret;
  /** What the server offers. */
  readonly mechanisms: readonly string[];
  /** The certificate's hash, RFC 5929 section 4.1. Undefined without TLS, or if it has none. */
  readonly channelBinding: Buffer | undefined;
  /** Random, printable ASCII without a comma. RFC 5802 section 5.1. */
  readonly nonce: string;
  readonly known: KnownKeys;
}

/**
 * The client's half of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS. RFC 5802, RFC 7677. Methods are called
 * in their order, once each. Failures are sentences whose subject is the server.
 */
export class ScramClient {
  readonly mechanism: string;
  /** The client-first-message. */
  readonly first: string;
  readonly #login: ScramLogin;
  readonly #bare: string;
  readonly #header: string;
  readonly #binding: Buffer;
  #serverSignature: Buffer = Buffer.alloc(0);

  /** @throws ScramFailure if the server offers neither mechanism. */
  constructor(login: ScramLogin) {
    const { mechanisms, channelBinding } = login;
    const isBound = channelBinding !== undefined && mechanisms.includes(SCRAM_PLUS);
    if (!isBound && !mechanisms.includes(SCRAM))
      throw new ScramFailure(`offers no ${SCRAM} but "${mechanisms.join(", ").slice(0, 30)}"`);
    this.#login = login;
    this.mechanism = isBound ? SCRAM_PLUS : SCRAM;
    this.#header = isBound
      ? "p=tls-server-end-point,,"
      : channelBinding === undefined
        ? "n,,"
        : "y,,";
    this.#binding = isBound ? channelBinding : Buffer.alloc(0);
    // RFC 5802 section 5.1; PostgreSQL takes the user from the startup packet and reads over this
    const name = login.username.replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.#bare = `n=${name},r=${login.nonce}`;
    this.first = `${this.#header}${this.#bare}`;
  }

  /**
   * The client-final-message, which proves that we know the password.
   *
   * @throws ScramFailure if the server's message is wrong, or asks for too little or too much work.
   */
  async final(serverFirst: string): Promise<string> {
    const [, nonce, salt, iterations] = SERVER_FIRST.exec(serverFirst) ?? [];
    if (nonce === undefined || salt === undefined)
      throw new ScramFailure("sends a malformed first SCRAM message");
    if (!nonce.startsWith(this.#login.nonce) || nonce === this.#login.nonce)
      throw new ScramFailure("sends a SCRAM nonce that is not made from ours");
    const { username, password, known } = this.#login;
    const keys = await known.of({
      username,
      password,
      salt: Buffer.from(salt, "base64"),
      iterations: checkIterations(Number(iterations)),
    });
    const binding = Buffer.concat([Buffer.from(this.#header), this.#binding]).toString("base64");
    const withoutProof = `c=${binding},r=${nonce}`;
    const signed = `${this.#bare},${serverFirst},${withoutProof}`;
    this.#serverSignature = hmacSha256(keys.serverKey, signed);
    const proof = xor(keys.clientKey, hmacSha256(keys.storedKey, signed));
    return `${withoutProof},p=${proof.toString("base64")}`;
  }

  /** @throws ScramFailure unless the server proves that it knows the password too. */
  verify(serverFinal: string): void {
    const [, signature = ""] = SERVER_FINAL.exec(serverFinal) ?? [];
    const given = Buffer.from(signature, "base64");
    if (given.length !== KEY_BYTES || this.#serverSignature.length !== KEY_BYTES)
      throw new ScramFailure("sends a malformed final SCRAM message");
    if (!timingSafeEqual(given, this.#serverSignature))
      throw new ScramFailure("does not know the password: its SCRAM signature is wrong");
  }
}

function checkIterations(iterations: number): number {
  if (iterations >= LEAST_ITERATIONS && iterations <= MOST_ITERATIONS) return iterations;
  throw new ScramFailure(
    `asks for ${iterations} SCRAM iterations, not ${LEAST_ITERATIONS} to ${MOST_ITERATIONS}`,
  );
}
