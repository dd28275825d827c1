import { timingSafeEqual } from "node:crypto";
import type { Secret } from "../../../core/secret.ts";
import { readSaslInitialResponse } from "./sasl-initial-response.ts";
import { SCRAM } from "./scram-client.ts";
import { ScramFailure } from "./scram-failure.ts";
import {
  hmacSha256,
  KEY_BYTES,
  LEAST_ITERATIONS,
  type ScramKeys,
  scramKeys,
  sha256,
  xor,
} from "./scram-keys.ts";

const SALT_BYTES = 16;
const NONCE_BYTES = 18;
/** PostgreSQL's drivers send 50 to 200 bytes. */
const LONGEST = 1_024;

/** GS2 header without authzid, the ignored user, the client's nonce, extensions that are ignored. */
const CLIENT_FIRST = /^([ny],,)(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+)(?:,[^m].*)?)$/su;
const CLIENT_FINAL =
  /^(c=([A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?),p=([A-Za-z0-9+/]{43}=)$/su;

/** One password, and the exchanges in which clients prove that they know it. */
export interface ScramServer {
  /** For AuthenticationSASL. */
  readonly mechanisms: readonly string[];
  /** One client. */
  begin(): ScramExchange;
}

/**
 * The server's half of SCRAM-SHA-256 for any user name, without channel binding. RFC 5802, RFC 7677.
 *
 * @param random bytes that nobody can guess, as `randomBytes` of node:crypto gives.
 */
export async function makeScramServer(
  password: Secret,
  random: (bytes: number) => Buffer,
): Promise<ScramServer> {
  const salt = random(SALT_BYTES);
  const keys = await scramKeys(password, salt, LEAST_ITERATIONS);
  return {
    mechanisms: [SCRAM],
    begin: () =>
      new ScramExchange({
        keys,
        salt: salt.toString("base64"),
        nonce: random(NONCE_BYTES).toString("base64"),
      }),
  };
}

/** Methods are called in their order, once each. */
export class ScramExchange {
  readonly #keys: ScramKeys;
  readonly #salt: string;
  readonly #serverNonce: string;
  #header = "";
  #nonce = "";
  #signed = "";

  constructor(from: { readonly keys: ScramKeys; readonly salt: string; readonly nonce: string }) {
    this.#keys = from.keys;
    this.#salt = from.salt;
    this.#serverNonce = from.nonce;
  }

  /**
   * The text of AuthenticationSASLContinue.
   *
   * @param body of the client's SASLInitialResponse.
   * @throws ScramFailure
   */
  first(body: Buffer): string {
    const { mechanism, text } = readSaslInitialResponse(checkLength(body));
    if (mechanism !== SCRAM) throw new ScramFailure(`only ${SCRAM} is offered`);
    const [, header, bare, clientNonce] = CLIENT_FIRST.exec(text) ?? [];
    if (header === undefined || bare === undefined || clientNonce === undefined)
      throw new ScramFailure("the first SCRAM message is malformed, or asks for channel binding");
    this.#header = header;
    this.#nonce = `${clientNonce}${this.#serverNonce}`;
    const answer = `r=${this.#nonce},s=${this.#salt},i=${LEAST_ITERATIONS}`;
    this.#signed = `${bare},${answer}`;
    return answer;
  }

  /**
   * The text of AuthenticationSASLFinal, for a client that knows the password.
   *
   * @param body of the client's SASLResponse.
   * @throws ScramFailure
   */
  final(body: Buffer): string {
    const [, withoutProof, binding, nonce, proof] =
      CLIENT_FINAL.exec(checkLength(body).toString("utf8")) ?? [];
    if (withoutProof === undefined || nonce !== this.#nonce || this.#nonce === "")
      throw new ScramFailure("the final SCRAM message is malformed, or is not of this exchange");
    if (binding !== Buffer.from(this.#header).toString("base64"))
      throw new ScramFailure("the channel binding of the SCRAM messages changed");
    const signed = `${this.#signed},${withoutProof}`;
    const { storedKey, serverKey } = this.#keys;
    const given = Buffer.from(proof ?? "", "base64");
    if (given.length !== KEY_BYTES) throw new ScramFailure("the SCRAM proof is malformed");
    const clientKey = xor(given, hmacSha256(storedKey, signed));
    if (!timingSafeEqual(sha256(clientKey), storedKey)) throw new ScramFailure("wrong password");
    return `v=${hmacSha256(serverKey, signed).toString("base64")}`;
  }
}

function checkLength(body: Buffer): Buffer {
  if (body.length > LONGEST)
    throw new ScramFailure(`a SCRAM message of ${body.length} bytes is too long`);
  return body;
}
