const HEADER_BYTES = 5;

/** One whole message. */
export interface Message {
  readonly type: number;
  readonly body: Buffer;
  /** Header and body, as they came. */
  readonly bytes: Buffer;
}

/** A message has an impossible length, or one beyond the limit. */
export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage";
}

/**
 * Cuts a stream into whole messages, for the few at the begin of a connection. Holds up to one
 * message and what came behind it.
 */
export class MessageReader {
  readonly #longest: number;
  #held: Buffer = Buffer.alloc(0);

  /** `longest`: bytes of a message with its header. */
  constructor(longest: number) {
    this.#longest = longest;
  }

  /** What came and is no part of a message that was read. */
  get rest(): Buffer {
    return this.#held;
  }

  add(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
  }

  /**
   * The next message, undefined until it is whole.
   *
   * @throws MalformedMessage as soon as its length is known to be wrong.
   */
  next(): Message | undefined {
    if (this.#held.length < HEADER_BYTES) return undefined;
    const size = 1 + this.#held.readInt32BE(1);
    if (size < HEADER_BYTES || size > this.#longest)
      throw new MalformedMessage(`a message of ${size} bytes is not possible here`);
    if (this.#held.length < size) return undefined;
    const bytes = this.#held.subarray(0, size);
    this.#held = this.#held.subarray(size);
    return { type: bytes.readUInt8(0), body: bytes.subarray(HEADER_BYTES), bytes };
  }
}
