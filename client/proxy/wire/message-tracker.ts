const HEADER_BYTES = 5;
const LENGTH_BYTES = 4;

/**
 * Called at the end of each message. `first` is the first byte of its body, −1 if that is empty;
 * `length` is what the header says: the body and 4.
 */
export type OnMessage = (type: number, first: number, length: number) => void;

/**
 * Follows the messages of one direction by their headers, however the bytes are cut into chunks.
 * Keeps nothing of them but the header.
 */
export class MessageTracker {
  readonly #onMessage: OnMessage;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #missing = 0;
  #type = 0;
  #length = 0;
  #first = -1;
  #isLost = false;

  constructor(onMessage: OnMessage) {
    this.#onMessage = onMessage;
  }

  /**
   * Whether nothing or whole messages were seen. Never again once a length was impossible: nobody
   * knows then where a message begins.
   */
  get isBetweenMessages(): boolean {
    return this.#missing === 0 && this.#headerBytes === 0 && !this.#isLost;
  }

  see(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#isLost)
      at = this.#missing > 0 ? this.#seeBody(chunk, at) : this.#seeHeader(chunk, at);
  }

  #seeHeader(chunk: Buffer, at: number): number {
    if (this.#headerBytes === 0 && chunk.length - at >= HEADER_BYTES) {
      this.#begin(chunk, at);
      return at + HEADER_BYTES;
    }
    const copied = chunk.copy(this.#header, this.#headerBytes, at);
    this.#headerBytes += copied;
    if (this.#headerBytes === HEADER_BYTES) {
      this.#headerBytes = 0;
      this.#begin(this.#header, 0);
    }
    return at + copied;
  }

  #begin(bytes: Buffer, at: number): void {
    this.#type = bytes.readUInt8(at);
    this.#length = bytes.readInt32BE(at + 1);
    this.#missing = this.#length - LENGTH_BYTES;
    this.#isLost = this.#missing < 0;
    if (this.#missing === 0) this.#onMessage(this.#type, -1, this.#length);
  }

  #seeBody(chunk: Buffer, at: number): number {
    if (this.#missing === this.#length - LENGTH_BYTES) this.#first = chunk.readUInt8(at);
    const seen = Math.min(this.#missing, chunk.length - at);
    this.#missing -= seen;
    if (this.#missing === 0) this.#onMessage(this.#type, this.#first, this.#length);
    return at + seen;
  }
}
