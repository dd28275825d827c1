import type { Login } from "../../keeper/keeper.ts";
import type { KnownKeys } from "../scram/known-keys.ts";
import { ScramClient } from "../scram/scram-client.ts";
import { type ServerAddress, ServerRefusal } from "../server-login.ts";
import { sqlstateOf } from "../wire/error-fields.ts";
import type { Message } from "../wire/message-reader.ts";
import { AUTHENTICATION, FROM_SERVER } from "../wire/message-types.ts";
import { saslInitialResponse, saslResponse } from "../wire/messages.ts";
import { unreachable } from "./unreachable.ts";

/** A server that says more before its first ReadyForQuery has lost its way. Bytes. */
const LONGEST_GREETING = 256 * 1_024;

/** Bodies of BackendKeyData: process id, and a key of 4 to 256 bytes since protocol 3.2. */
const KEY_BYTES = { least: 8, most: 260 };

/** What an exchange needs. */
export interface ExchangeOptions {
  readonly server: ServerAddress;
  readonly login: Login;
  readonly channelBinding: Buffer | undefined;
  readonly nonce: string;
  readonly known: KnownKeys;
}

/**
 * What we and a server say to each other from the startup packet to the first ReadyForQuery. The
 * server is believed only after SCRAM has proved that it knows the password.
 */
export class LoginExchange {
  readonly #options: ExchangeOptions;
  readonly #greeting: Buffer[] = [];
  #greetingBytes = 0;
  #scram: ScramClient | undefined;
  #state: "unproven" | "proven" | "in" | "ready" = "unproven";
  #cancelKey: Buffer | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /** The server has sent its first ReadyForQuery. */
  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** All that concerns the client, in its order. */
  get greeting(): Buffer {
    return Buffer.concat(this.#greeting);
  }

  get cancelKey(): Buffer | undefined {
    return this.#cancelKey;
  }

  /**
   * Take the server's next message.
   *
   * @returns what we answer, if anything.
   * @throws ServerRefusal for its ErrorResponse; ServerUnreachable or ScramFailure if it is wrong.
   */
  async take(message: Message): Promise<Buffer | undefined> {
    switch (message.type) {
      case FROM_SERVER.errorResponse:
        throw new ServerRefusal(sqlstateOf(message.body), Buffer.from(message.bytes));
      case FROM_SERVER.negotiateProtocolVersion:
      case FROM_SERVER.noticeResponse:
        this.#keep(message);
        return undefined;
      case FROM_SERVER.authentication:
        return this.#state === "in" ? this.#unexpected(message) : this.#authenticate(message);
      default:
        return this.#state === "in" ? this.#takeInside(message) : this.#unexpected(message);
    }
  }

  async #authenticate(message: Message): Promise<Buffer | undefined> {
    const { body } = message;
    const kind = body.length < 4 ? -1 : body.readInt32BE(0);
    if (kind === AUTHENTICATION.sasl && this.#scram === undefined) {
      const mechanisms = body.toString("latin1", 4).split("\0").filter(Boolean);
      const { login, channelBinding, nonce, known } = this.#options;
      const { username, password } = login;
      this.#scram = new ScramClient({
        username,
        password,
        mechanisms,
        channelBinding,
        nonce,
        known,
      });
      return saslInitialResponse(this.#scram.mechanism, this.#scram.first);
    }
    if (kind === AUTHENTICATION.saslContinue && this.#scram !== undefined)
      return saslResponse(await this.#scram.final(body.toString("utf8", 4)));
    if (kind === AUTHENTICATION.saslFinal && this.#scram !== undefined) {
      this.#scram.verify(body.toString("utf8", 4));
      this.#state = "proven";
      return undefined;
    }
    if (kind === AUTHENTICATION.ok && this.#state === "proven") {
      this.#keep(message);
      this.#state = "in";
      return undefined;
    }
    throw this.#unreachable(wordsForAuthentication(kind));
  }

  #takeInside(message: Message): undefined {
    const { type, body } = message;
    if (type === FROM_SERVER.backendKeyData) {
      if (body.length < KEY_BYTES.least || body.length > KEY_BYTES.most)
        throw this.#unreachable(`sends a cancel key of ${body.length - 4} bytes, not 4 to 256`);
      this.#cancelKey = Buffer.from(body);
    } else if (type === FROM_SERVER.readyForQuery) this.#state = "ready";
    else if (type !== FROM_SERVER.parameterStatus) this.#unexpected(message);
    this.#keep(message);
  }

  #keep({ bytes }: Message): void {
    this.#greetingBytes += bytes.length;
    if (this.#greetingBytes > LONGEST_GREETING)
      throw this.#unreachable("says more than 256 KB before it is ready");
    this.#greeting.push(bytes);
  }

  #unexpected({ type }: Message): never {
    const name = JSON.stringify(String.fromCharCode(type));
    throw this.#unreachable(`sends a message of type ${name} in the middle of the login`);
  }

  #unreachable(words: string): Error {
    return unreachable(this.#options.server, words);
  }
}

function wordsForAuthentication(kind: number): string {
  switch (kind) {
    case AUTHENTICATION.ok:
      return "lets us in and does not prove that it knows the password; use scram-sha-256 there";
    case AUTHENTICATION.cleartextPassword:
      return "asks for the password itself; use scram-sha-256 in its pg_hba.conf";
    case AUTHENTICATION.md5Password:
      return "asks for an MD5 password; use scram-sha-256 in pg_hba.conf, and set it again";
    default:
      return `asks for authentication of kind ${kind}; use scram-sha-256 in its pg_hba.conf`;
  }
}
