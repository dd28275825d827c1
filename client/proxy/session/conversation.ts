import { MessageTracker } from "../wire/message-tracker.ts";
import { FROM_CLIENT, FROM_SERVER } from "../wire/message-types.ts";

const IDLE = 0x49; // I
const FAILED = 0x45; // E

/** What a session does, in words for people. */
export type SessionState =
  | "idle"
  | "in a transaction"
  | "in a failed transaction"
  | "in COPY"
  | "in a statement"
  | "between messages of a statement";

/**
 * What a client has sent that matters for the ReadyForQuery it is owed: a query or function call
 * and a Sync are owed one each, but a Sync that the server reads while it takes COPY data is not.
 */
type Sent = "query" | "sync" | "copy-end";

/**
 * Follows what client and server say to each other, by the headers of their messages, from the
 * first ReadyForQuery on. Knows when a session can end without anybody noticing.
 *
 * ReadyForQuery with `I` alone does not say that: clients send statements without waiting
 * (pipelines), and messages of the extended protocol that no Sync has followed yet.
 */
export class Conversation {
  readonly #client = new MessageTracker((type) => this.#clientSent(type));
  readonly #server = new MessageTracker((type, first) => this.#serverSent(type, first));
  #status = IDLE;
  /** Without an answer yet, the oldest first. */
  readonly #sent: Sent[] = [];
  #isUnsynced = false;
  #copyIn: "simple" | "extended" | undefined;
  #errors = 0;
  #isTerminated = false;

  /** Errors that the server has told of. */
  get errors(): number {
    return this.#errors;
  }

  /** The client has said that it leaves. */
  get isTerminated(): boolean {
    return this.#isTerminated;
  }

  /** The next byte of the server begins a message. */
  get isServerBetweenMessages(): boolean {
    return this.#server.isBetweenMessages;
  }

  /** The server owes a ReadyForQuery. */
  get isAnswerOwed(): boolean {
    return this.#sent.length > 0;
  }

  /** A statement may be running: the server may not notice that its client is gone. */
  get isBusy(): boolean {
    return (
      this.isAnswerOwed ||
      this.#isUnsynced ||
      this.#copyIn !== undefined ||
      !this.#client.isBetweenMessages ||
      !this.#server.isBetweenMessages
    );
  }

  /** Nothing runs, nothing was begun: neither transaction nor statement nor message. */
  get isIdle(): boolean {
    return this.#status === IDLE && !this.isBusy;
  }

  get state(): SessionState {
    if (this.#copyIn !== undefined) return "in COPY";
    if (this.isAnswerOwed) return "in a statement";
    if (this.isBusy) return "between messages of a statement";
    if (this.#status === IDLE) return "idle";
    return this.#status === FAILED ? "in a failed transaction" : "in a transaction";
  }

  seeClient(chunk: Buffer): void {
    this.#client.see(chunk);
  }

  seeServer(chunk: Buffer): void {
    this.#server.see(chunk);
  }

  #clientSent(type: number): void {
    switch (type) {
      case FROM_CLIENT.query:
      case FROM_CLIENT.functionCall:
        this.#sent.push("query");
        return;
      case FROM_CLIENT.sync:
        if (this.#copyIn !== undefined) return;
        this.#sent.push("sync");
        this.#isUnsynced = false;
        return;
      case FROM_CLIENT.copyDone:
      case FROM_CLIENT.copyFail:
        if (this.#copyIn !== undefined) this.#endCopyIn();
        else if (this.#sent.length > 0 || this.#isUnsynced) this.#sent.push("copy-end");
        return;
      case FROM_CLIENT.terminate:
        this.#isTerminated = true;
        return;
      case FROM_CLIENT.copyData:
      case FROM_CLIENT.flush:
        return;
      default: // Parse, Bind, Execute, Describe, Close
        this.#isUnsynced = true;
    }
  }

  #serverSent(type: number, first: number): void {
    switch (type) {
      case FROM_SERVER.readyForQuery:
        this.#status = first;
        this.#copyIn = undefined;
        this.#answered();
        return;
      case FROM_SERVER.copyInResponse:
        this.#beginCopyIn();
        return;
      case FROM_SERVER.errorResponse:
        this.#errors += 1;
        if (this.#copyIn !== undefined) this.#endCopyIn();
        return;
      default:
    }
  }

  /** The end of COPY data that no COPY took goes with its query. Behind a Sync, COPY may come yet. */
  #answered(): void {
    let sent: Sent | undefined;
    do sent = this.#sent.shift();
    while (sent === "copy-end");
    const isNoCopyToCome =
      sent === "query" || (!this.#isUnsynced && this.#sent.every((each) => each === "copy-end"));
    while (isNoCopyToCome && this.#sent[0] === "copy-end") this.#sent.shift();
  }

  /**
   * The server reads COPY data now, and ignores each Sync up to CopyDone or CopyFail: also those
   * that are under way. Source: PostgreSQL's manual, "COPY Operations".
   */
  #beginCopyIn(): void {
    const isSimple = this.#sent[0] === "query";
    this.#copyIn = isSimple ? "simple" : "extended";
    const from = isSimple ? 1 : 0;
    while (this.#sent[from] === "sync") this.#sent.splice(from, 1);
    if (this.#sent[from] !== "copy-end") return;
    this.#sent.splice(from, 1);
    this.#copyIn = undefined;
    this.#isUnsynced ||= !isSimple && this.#sent.length === 0;
  }

  /** After COPY by the extended protocol a Sync has to come. */
  #endCopyIn(): void {
    this.#isUnsynced ||= this.#copyIn === "extended";
    this.#copyIn = undefined;
  }
}
