import type { Socket } from "node:net";
import { type Duration, milliseconds } from "../../../core/time.ts";
import type { ClientTime } from "../../time.ts";
import type { EndReason } from "../proxy-events.ts";
import { SilentServer } from "../upstream/silent-server.ts";
import type { FatalError } from "../wire/messages.ts";
import type { ClientSide } from "./client-side.ts";
import { Conversation, type SessionState } from "./conversation.ts";
import type { ServerSide } from "./server-side.ts";

/** What a session tells the proxy. */
export interface SessionEvents {
  /** Both connections are closed. */
  closed(session: Session): void;
  /** The proxy has ended it, in this state. */
  ended(session: Session, reason: EndReason, state: SessionState): void;
  serverLost(session: Session, message: string): void;
  /** The client went away inside a statement. */
  cancelled(session: Session): void;
  /** The server refused a statement with 42501: privileges may be gone with the lease. */
  unprivileged(session: Session): void;
}

/** Source of the SQLSTATE: a server that stops says the same, and clients connect again. */
function ended(reason: EndReason): FatalError {
  if (reason === "closing")
    return { sqlstate: "57P01", message: "terminating connection: the proxy stops" };
  return {
    sqlstate: "57P01",
    message: "terminating connection: its lease ends",
    hint: "Connect again: new connections use the next lease.",
  };
}

/**
 * Between the last byte of an answer and our error. psycopg loses the SQLSTATE of an error that it
 * reads together with ReadyForQuery.
 */
const GAP = milliseconds(25);

const PRIVILEGES_ARE_MISSING = Buffer.from("C42501\0");

/** Copies bytes between a client and a server until one of them, or the proxy, ends it. */
export class Session {
  readonly client: ClientSide;
  readonly server: ServerSide;
  readonly #conversation = new Conversation();
  readonly #events: SessionEvents;
  readonly #time: ClientTime;
  readonly #silent: SilentServer;
  #lastByteAt: Duration;
  /** Its last byte, or the first of what it has to answer. */
  #serverSilentAt: Duration;
  #open = 2;
  #isOver = false;
  /** The reason to end it at the next moment between transactions. */
  #endsFor: EndReason | undefined;
  /** The client is not read any more, and the end comes in a moment. */
  #isEnding = false;
  #endsBetweenMessages = false;

  constructor(client: ClientSide, server: ServerSide, events: SessionEvents, time: ClientTime) {
    this.client = client;
    this.server = server;
    this.#events = events;
    this.#time = time;
    this.#lastByteAt = time.monotonic();
    this.#serverSilentAt = this.#lastByteAt;
    this.#silent = new SilentServer({
      silence: () => ({
        isAnswerOwed: this.#conversation.isAnswerOwed,
        length: milliseconds(time.monotonic() - this.#serverSilentAt),
      }),
      probe: (signal) => server.probe(signal),
      time,
    });
  }

  /** One of its connections ends, or has ended. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get isIdle(): boolean {
    return this.#conversation.isIdle;
  }

  /** Since the last byte in either direction. */
  get quietFor(): Duration {
    return milliseconds(this.#time.monotonic() - this.#lastByteAt);
  }

  get age(): Duration {
    return milliseconds(this.#time.monotonic() - this.client.since);
  }

  /**
   * Begin to copy.
   *
   * @param greeting what the server has said up to its first ReadyForQuery; `rest`: what came behind.
   * @param early what the client has said already.
   */
  start(greeting: Buffer, rest: Buffer, early: Buffer): void {
    const [client, server] = [this.client.socket, this.server.socket];
    client.on("error", () => {}); // close follows
    client.on("data", (chunk) => this.#fromClient(chunk));
    client.on("drain", () => server.resume());
    client.on("end", () => this.#clientGone());
    onClosed(client, () => {
      this.#clientGone();
      this.#closed();
    });
    let failure = "";
    server.on("error", (error: NodeJS.ErrnoException) => {
      failure = error.code ?? error.message;
    });
    server.on("data", (chunk) => this.#fromServer(chunk));
    server.on("drain", () => {
      if (!this.#isEnding) client.resume();
    });
    server.on("end", () => this.#serverGone(""));
    onClosed(server, () => {
      this.#serverGone(failure);
      this.#closed();
    });
    client.resume();
    server.resume();
    client.write(greeting);
    if (rest.length > 0) this.#fromServer(rest);
    if (early.length > 0) this.#fromClient(early);
  }

  /** End it now if it is idle, else as soon as it is. */
  endWhenIdle(reason: EndReason): void {
    this.#endsFor ??= reason;
    this.#endIfIdle();
  }

  /** End it wherever it is. Never puts words into the middle of a message. */
  force(reason: EndReason): void {
    if (this.#isOver) return;
    const { state, isBusy, isServerBetweenMessages } = this.#conversation;
    this.#events.ended(this, reason, state);
    this.#isOver = true;
    if (isServerBetweenMessages) this.client.end(ended(reason));
    else this.client.socket.destroy();
    if (isBusy) this.server.abandon();
    else this.server.leave();
  }

  /** End it if the server owes an answer, is silent, and answers nobody else either. */
  async lookAtServer(signal: AbortSignal): Promise<void> {
    if (this.#isOver || !(await this.#silent.look(signal))) return;
    const { host, port } = this.server.server;
    this.#serverGone(`no answer, and ${host}:${port} does not answer others either`);
    this.server.socket.destroy();
  }

  #fromClient(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#lastByteAt = this.#time.monotonic();
    if (!this.#conversation.isAnswerOwed) this.#serverSilentAt = this.#lastByteAt;
    this.#conversation.seeClient(chunk);
    if (!this.server.socket.write(chunk)) this.client.socket.pause();
  }

  #fromServer(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#lastByteAt = this.#time.monotonic();
    this.#serverSilentAt = this.#lastByteAt;
    const { errors } = this.#conversation;
    this.#conversation.seeServer(chunk);
    if (!this.client.socket.write(chunk)) this.server.socket.pause();
    if (this.#conversation.errors > errors && chunk.includes(PRIVILEGES_ARE_MISSING))
      this.#events.unprivileged(this);
    if (this.#endsBetweenMessages) this.#end();
    else if (this.#endsFor !== undefined) this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.#isOver || this.#isEnding || !this.#conversation.isIdle) return;
    this.#isEnding = true;
    // a statement that comes now is not passed on: it has not run, whatever its client reads
    this.client.socket.pause();
    const gap = milliseconds(Math.max(0, GAP - this.quietFor));
    if (gap === 0) this.#end();
    else void this.#time.wait(gap).then(() => this.#end());
  }

  #end(): void {
    if (this.#isOver || this.#endsFor === undefined) return;
    this.#endsBetweenMessages = !this.#conversation.isServerBetweenMessages;
    if (this.#endsBetweenMessages) return;
    this.#events.ended(this, this.#endsFor, this.#conversation.state);
    this.#isOver = true;
    this.client.end(ended(this.#endsFor));
    this.server.leave();
  }

  #clientGone(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { isTerminated, isBusy } = this.#conversation;
    if (!this.client.socket.destroyed) this.client.end();
    if (isTerminated) this.server.finish();
    else if (isBusy) {
      this.#events.cancelled(this);
      this.server.abandon();
    } else this.server.leave();
  }

  #serverGone(failure: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (failure !== "") this.#events.serverLost(this, failure);
    if (!this.#conversation.isServerBetweenMessages) this.client.socket.destroy();
    else this.client.end(failure === "" ? undefined : lost(failure));
    if (!this.server.socket.destroyed) this.server.finish();
  }

  #closed(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#events.closed(this);
  }
}

/** It may be closed already. */
function onClosed(socket: Socket, then: () => void): void {
  if (socket.closed) process.nextTick(then);
  else socket.once("close", then);
}

const lost = (failure: string): FatalError => ({
  sqlstate: "08006",
  message: `the Mayfly proxy lost its connection to the server: ${failure}`,
  hint: "Connect again.",
});
