import { ScramFailure } from "./scram-failure.ts";

/**
 * Mechanism and text of a SASLInitialResponse.
 *
 * @param body without type and length.
 * @throws ScramFailure if it is malformed, or has no text.
 */
export function readSaslInitialResponse(body: Buffer): { mechanism: string; text: string } {
  const end = body.indexOf(0);
  const textAt = end + 5;
  if (end < 0 || body.length < textAt || body.readInt32BE(end + 1) !== body.length - textAt)
    throw new ScramFailure("the first SASL message is malformed");
  return {
    mechanism: body.toString("latin1", 0, end),
    text: body.toString("utf8", textAt),
  };
}
