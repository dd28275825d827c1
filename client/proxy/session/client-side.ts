import type { Socket } from "node:net";
import type { Duration } from "../../../core/time.ts";
import type { ClientTime } from "../../time.ts";
import { type FatalError, fatalError } from "../wire/messages.ts";
import { endSocket } from "./closing-socket.ts";

/** The client's half of a session. */
export class ClientSide {
  readonly socket: Socket;
  /** What the server has as `application_name`, as text. */
  readonly application: string;
  /** By the monotonic clock. */
  readonly since: Duration;
  readonly #time: ClientTime;

  constructor(socket: Socket, application: string, time: ClientTime) {
    this.socket = socket;
    this.application = application;
    this.since = time.monotonic();
    this.#time = time;
  }

  /** Close, with words if the client stands between two messages. */
  end(error?: FatalError): void {
    endSocket(this.socket, this.#time, error && fatalError(error));
  }
}
