import { REQUEST } from "../wire/message-types.ts";
import type { FatalError } from "../wire/messages.ts";

/** Bounds of a startup packet's length. Source: PostgreSQL's MAX_STARTUP_PACKET_LENGTH. */
const SHORTEST = 8;
const LONGEST = 10_000;
/** A process id, and a secret key of 4 to 256 bytes. */
const SHORTEST_CANCEL_KEY = 8;
const LONGEST_CANCEL_KEY = 260;
/** The first byte of a TLS record with a ClientHello. No startup packet begins with it. */
const TLS_HANDSHAKE = 0x16;

/** The startup packet of a client that wants a session. */
export interface Startup {
  /** E.g. 196608 for 3.0. */
  readonly protocol: number;
  /** latin1: any bytes pass unchanged. Of a name that comes twice, the last value. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** What a client's next packet asks for. */
export type StartupStep =
  | { readonly kind: "incomplete" }
  /** SSLRequest or GSSENCRequest. */
  | { readonly kind: "encryption" }
  | { readonly kind: "cancel"; readonly key: Buffer }
  | { readonly kind: "session"; readonly startup: Startup }
  | { readonly kind: "refused"; readonly error: FatalError };

/** Cuts the first bytes of a client into packets, however they come. Holds 10,000 bytes and a chunk. */
export class StartupReader {
  #held: Buffer = Buffer.alloc(0);
  readonly #encryptions = new Set<number>();

  /** What came behind the packets that were read. */
  get rest(): Buffer {
    return this.#held;
  }

  add(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
  }

  next(): StartupStep {
    if (this.#held[0] === TLS_HANDSHAKE) return { kind: "refused", error: NO_TLS };
    if (this.#held.length < 4) return { kind: "incomplete" };
    const length = this.#held.readInt32BE(0);
    if (length < SHORTEST || length > LONGEST)
      return protocolViolation("invalid length of startup packet");
    if (this.#held.length < length) return { kind: "incomplete" };
    const packet = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return this.#stepOf(packet.readInt32BE(4), packet.subarray(8));
  }

  #stepOf(code: number, body: Buffer): StartupStep {
    if (code === REQUEST.cancel) return cancelStep(body);
    const isEncryption = code === REQUEST.ssl || code === REQUEST.gssEncryption;
    if (isEncryption && !this.#encryptions.has(code)) {
      this.#encryptions.add(code);
      return { kind: "encryption" };
    }
    const [major, minor] = [code >>> 16, code & 0xffff];
    if (major !== 3) return unsupported(`${major}.${minor}`);
    const parameters = parametersIn(body);
    if (parameters === undefined) return protocolViolation("invalid layout of startup packet");
    return { kind: "session", startup: { protocol: code, parameters } };
  }
}

const NO_TLS: FatalError = {
  sqlstate: "08P01",
  message: "this port of the Mayfly proxy does not speak TLS",
  hint: "Set sslmode=disable for it. The proxy itself connects to the server with TLS.",
};

const protocolViolation = (text: string): StartupStep => ({
  kind: "refused",
  error: { sqlstate: "08P01", message: `${text}; this port speaks the PostgreSQL protocol` },
});

const unsupported = (version: string): StartupStep => ({
  kind: "refused",
  error: {
    sqlstate: "0A000",
    message: `frontend protocol ${version} is not supported; use 3.0 or later`,
  },
});

function cancelStep(key: Buffer): StartupStep {
  if (key.length < SHORTEST_CANCEL_KEY || key.length > LONGEST_CANCEL_KEY)
    return protocolViolation("invalid length of cancel request");
  return { kind: "cancel", key };
}

/** Undefined if the body is not pairs of texts and one NUL behind them. */
function parametersIn(body: Buffer): ReadonlyMap<string, string> | undefined {
  const texts = body.toString("latin1").split("\0");
  // the pairs, the empty name at the end, and what split finds behind the last NUL
  const pairs = texts.slice(0, -2);
  if (texts.length < 2 || texts.slice(-2).join("") !== "" || pairs.length % 2 !== 0)
    return undefined;
  const parameters = new Map<string, string>();
  for (let at = 0; at < pairs.length; at += 2) {
    const [name = "", value = ""] = pairs.slice(at, at + 2);
    if (name === "") return undefined;
    parameters.set(name, value);
  }
  return parameters;
}
