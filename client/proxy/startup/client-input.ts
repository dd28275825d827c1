import type { Socket } from "node:net";

/** What a client may send before it is let in. More waits in the socket. Bytes. */
const MOST = 65_536;

/** The client has closed the connection, or was too slow. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/**
 * Reads a client from its first byte until its session begins. It keeps reading while nobody asks:
 * only so it is noticed that a client goes away during the login.
 */
export class ClientInput {
  readonly #socket: Socket;
  readonly #onGone: () => void;
  #chunks: Buffer[] = [];
  #length = 0;
  #isGone = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket, onGone: () => void) {
    this.#socket = socket;
    this.#onGone = onGone;
    socket.on("data", this.#add);
    socket.on("end", this.#gone);
    socket.on("close", this.#gone);
  }

  /**
   * What has come, at least a byte.
   *
   * @throws ClientGone
   */
  async next(): Promise<Buffer> {
    while (this.#length === 0) {
      if (this.#isGone) throw new ClientGone("the client has closed the connection");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#take();
  }

  /** Stop reading. @returns what has come and nobody has asked for. */
  release(): Buffer {
    this.#socket.off("data", this.#add);
    this.#socket.off("end", this.#gone);
    this.#socket.off("close", this.#gone);
    const rest = this.#take();
    this.#socket.pause();
    return rest;
  }

  #take(): Buffer {
    const taken = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#length = 0;
    this.#socket.resume();
    return taken;
  }

  readonly #add = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length > MOST) this.#socket.pause();
    this.#wake?.();
  };

  readonly #gone = (): void => {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#wake?.();
    this.#onGone();
  };
}
