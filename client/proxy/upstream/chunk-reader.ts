import type { Socket } from "node:net";

/** The other side closed the connection, or it broke. */
export class ConnectionClosed extends Error {
  override readonly name = "ConnectionClosed";
}

/** What a socket receives, chunk by chunk, until it is released. */
export class ChunkReader {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", this.#onData);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#wake?.();
  };

  readonly #onError = (error: Error): void => {
    this.#error ??= error;
    this.#wake?.();
  };

  readonly #onClose = (): void => this.#onError(new ConnectionClosed());

  /**
   * The next chunk. One call at a time.
   *
   * @throws ConnectionClosed or the socket's error, after the last chunk.
   */
  async read(): Promise<Buffer> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) return chunk;
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Stop reading: the socket is paused and has no listeners. @returns what was not read. */
  release(): Buffer {
    this.#socket.pause();
    this.#socket.off("data", this.#onData);
    this.#socket.off("error", this.#onError);
    this.#socket.off("close", this.#onClose);
    return Buffer.concat(this.#chunks.splice(0));
  }
}
