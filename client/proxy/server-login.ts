import type { Socket } from "node:net";
import type { Login } from "../keeper/keeper.ts";

/** Where a server is. Its certificate must be valid for `host`. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  /**
   * The IP address to connect to, where `host` may stand for several servers by now: a session's
   * `socket.remoteAddress`, to cancel and probe at the server that it is with.
   *
   * @default - what `host` resolves to
   */
  readonly address?: string | undefined;
}

/** What a session of a client asks of the server. */
export interface ServerRequest {
  readonly server: ServerAddress;
  readonly login: Login;
  /** The client's version of the protocol, as the startup packet has it, e.g. 196610 for 3.2. */
  readonly protocol: number;
  /** The client's startup parameters, latin1, with the database in place and without `user`. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
}

/** A connection that the server let in, up to its first ReadyForQuery. Nothing reads it yet. */
export interface ServerSession {
  /**
   * Paused, without listeners but one that ignores errors: it may be destroyed when you look. TLS,
   * unless the login says plaintext.
   */
  readonly socket: Socket;
  /** What the server said to the client: from NegotiateProtocolVersion or AuthenticationOk to ReadyForQuery. */
  readonly greeting: Buffer;
  /** What came behind the greeting: usually nothing. */
  readonly rest: Buffer;
  /** Process id and secret key of BackendKeyData, 8 to 260 bytes. Undefined if the server gave none. */
  readonly cancelKey: Buffer | undefined;
}

/** Opens connections to servers. */
export interface Servers {
  /** @throws ServerRefusal, ServerUnreachable, or the reason of the request's signal. */
  logIn(request: ServerRequest): Promise<ServerSession>;
  /** Send a CancelRequest and wait until the server has closed the connection. Never throws. */
  cancel(server: ServerAddress, tls: Login["tls"], cancelKey: Buffer): Promise<void>;
  /** Whether a PostgreSQL server answers there, without logging in. Never throws. */
  probe(server: ServerAddress, signal: AbortSignal): Promise<boolean>;
}

/** The server answered with an ErrorResponse before its first ReadyForQuery. */
export class ServerRefusal extends Error {
  override readonly name = "ServerRefusal";
  readonly sqlstate: string;
  /** The whole ErrorResponse, to be passed to the client unchanged. */
  readonly response: Buffer;

  constructor(sqlstate: string, response: Buffer) {
    super(`the server refused the login (${sqlstate})`);
    this.sqlstate = sqlstate;
    this.response = response;
  }
}

/**
 * There is no session, and no word of the server for the client: out of reach, silent, or it did
 * not prove who it is. The client reads SQLSTATE 08001 and the message.
 */
export class ServerUnreachable extends Error {
  override readonly name = "ServerUnreachable";
}
