import { AUTHENTICATION, FROM_CLIENT, FROM_SERVER, REQUEST } from "./message-types.ts";

/** One message: type, length, body. */
export function message(type: number, body: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(5 + body.length);
  whole.writeUInt8(type);
  whole.writeInt32BE(4 + body.length, 1);
  body.copy(whole, 5);
  return whole;
}

/** What an ErrorResponse of ours says. Texts must not contain a NUL. */
export interface FatalError {
  readonly sqlstate: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
}

/** An ErrorResponse of severity FATAL: the connection ends with it. */
export function fatalError({ sqlstate, message: text, detail, hint }: FatalError): Buffer {
  const fields = ["SFATAL", "VFATAL", `C${sqlstate}`, `M${text}`];
  if (detail !== undefined) fields.push(`D${detail}`);
  if (hint !== undefined) fields.push(`H${hint}`);
  return message(FROM_SERVER.errorResponse, Buffer.from(`${fields.join("\0")}\0\0`));
}

/** A packet without a type: length, code, body. */
function packet(code: number, body: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(8 + body.length);
  whole.writeInt32BE(whole.length);
  whole.writeInt32BE(code, 4);
  body.copy(whole, 8);
  return whole;
}

/** A startup packet. Names and values are latin1, so that any bytes pass unchanged. */
export const startupPacket = (
  protocol: number,
  parameters: Iterable<readonly [name: string, value: string]>,
): Buffer =>
  packet(
    protocol,
    Buffer.from(
      `${[...parameters].map(([name, value]) => `${name}\0${value}\0`).join("")}\0`,
      "latin1",
    ),
  );

export const sslRequest = (): Buffer => packet(REQUEST.ssl, Buffer.alloc(0));

/** `key` is the process id and the secret key of BackendKeyData. */
export const cancelRequest = (key: Buffer): Buffer => packet(REQUEST.cancel, key);

export const terminate = (): Buffer => message(FROM_CLIENT.terminate, Buffer.alloc(0));

function authentication(kind: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const whole = Buffer.allocUnsafe(4 + body.length);
  whole.writeInt32BE(kind);
  body.copy(whole, 4);
  return message(FROM_SERVER.authentication, whole);
}

export const authenticationOk = (): Buffer => authentication(AUTHENTICATION.ok);

/** AuthenticationSASL: the mechanisms that the server offers, the best first. */
export const authenticationSasl = (mechanisms: readonly string[]): Buffer =>
  authentication(AUTHENTICATION.sasl, Buffer.from(`${mechanisms.join("\0")}\0\0`));

export const authenticationSaslContinue = (text: string): Buffer =>
  authentication(AUTHENTICATION.saslContinue, Buffer.from(text));

export const authenticationSaslFinal = (text: string): Buffer =>
  authentication(AUTHENTICATION.saslFinal, Buffer.from(text));

/** SASLInitialResponse of a client. */
export function saslInitialResponse(mechanism: string, text: string): Buffer {
  const length = Buffer.allocUnsafe(4);
  length.writeInt32BE(Buffer.byteLength(text));
  const body = Buffer.concat([Buffer.from(`${mechanism}\0`), length, Buffer.from(text)]);
  return message(FROM_CLIENT.password, body);
}

/** SASLResponse of a client. */
export const saslResponse = (text: string): Buffer =>
  message(FROM_CLIENT.password, Buffer.from(text));
