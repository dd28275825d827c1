import type { ScramServer } from "../scram/scram-server.ts";
import { MessageReader } from "../wire/message-reader.ts";
import { FROM_CLIENT } from "../wire/message-types.ts";
import {
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
} from "../wire/messages.ts";

/** A password message of a client, with room for drivers that put much into it. Bytes. */
const LONGEST_MESSAGE = 4_096;

/** The two directions of a client that is not let in yet. */
export interface OpeningClient {
  write(bytes: Buffer): void;
  /** What has come next. */
  next(): Promise<Buffer>;
}

/**
 * Let a client prove by SCRAM-SHA-256 that it knows the proxy's own password. AuthenticationOk is
 * not sent: that comes from the server.
 *
 * @param early what came behind the startup packet.
 * @returns what came behind the last message of the exchange.
 * @throws ScramFailure or MalformedMessage if it does not.
 */
export async function proveLocalPassword(
  scram: ScramServer,
  client: OpeningClient,
  early: Buffer,
): Promise<Buffer> {
  const reader = new MessageReader(LONGEST_MESSAGE);
  reader.add(early);
  const exchange = scram.begin();
  client.write(authenticationSasl(scram.mechanisms));
  client.write(authenticationSaslContinue(exchange.first(await passwordMessage(reader, client))));
  client.write(authenticationSaslFinal(exchange.final(await passwordMessage(reader, client))));
  return reader.rest;
}

async function passwordMessage(reader: MessageReader, client: OpeningClient): Promise<Buffer> {
  for (;;) {
    const message = reader.next();
    if (message === undefined) reader.add(await client.next());
    else if (message.type === FROM_CLIENT.password) return message.body;
    else throw new UnexpectedMessage(`expected a password, got message ${message.type}`);
  }
}

/** A client sent something else than its password. */
export class UnexpectedMessage extends Error {
  override readonly name = "UnexpectedMessage";
}
