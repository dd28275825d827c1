import type { Socket } from "node:net";
import type { Login } from "../../keeper/keeper.ts";
import type { ClientTime } from "../../time.ts";
import type { ServerAddress, ServerSession, Servers } from "../server-login.ts";
import { terminate } from "../wire/messages.ts";
import { endSocket } from "./closing-socket.ts";

/** What a server side is made of. */
export interface ServerSideOptions {
  readonly opened: ServerSession;
  readonly server: ServerAddress;
  readonly login: Login;
  readonly servers: Servers;
  readonly time: ClientTime;
}

/** The server's half of a session: one connection, under one lease. */
export class ServerSide {
  readonly socket: Socket;
  /** The very server: its name may stand for another one by now. */
  readonly server: ServerAddress;
  readonly login: Login;
  /** Process id and secret key. Undefined if the server gave none. */
  readonly cancelKey: Buffer | undefined;
  readonly #servers: Servers;
  readonly #time: ClientTime;

  constructor({ opened, server, login, servers, time }: ServerSideOptions) {
    this.socket = opened.socket;
    this.server = { ...server, address: opened.socket.remoteAddress };
    this.login = login;
    this.cancelKey = opened.cancelKey;
    this.#servers = servers;
    this.#time = time;
  }

  /** Whether the address answers others. */
  probe(signal: AbortSignal): Promise<boolean> {
    return this.#servers.probe(this.server, signal);
  }

  /** Cancel the statement that runs. Resolves when the server has got it. Never rejects. */
  async cancel(): Promise<void> {
    if (this.cancelKey !== undefined)
      await this.#servers.cancel(this.server, this.login.tls, this.cancelKey);
  }

  /** Say goodbye: the server rolls back what is open. */
  leave(): void {
    endSocket(this.socket, this.#time, terminate());
  }

  /** The client has said goodbye itself: let the server finish. */
  finish(): void {
    endSocket(this.socket, this.#time);
  }

  /** A server in the middle of a statement does not notice that its client is gone. */
  abandon(): void {
    this.socket.destroy();
    void this.cancel();
  }
}
