import { type ServerAddress, ServerUnreachable } from "../server-login.ts";
import { ConnectionClosed } from "./chunk-reader.ts";

const LONGEST_ADDRESS = 70;

/** A server in an error. Long names of Aurora's endpoints keep their begin and their Region. */
export function addressInWords({ host, port }: ServerAddress): string {
  const address = `${host}:${port}`;
  if (address.length <= LONGEST_ADDRESS) return address;
  const half = (LONGEST_ADDRESS - 1) / 2;
  return `${address.slice(0, Math.floor(half))}…${address.slice(-Math.ceil(half))}`;
}

/**
 * @param words what is wrong with the server, and what to do. At most 88 characters, so that the
 *   message has at most 160.
 */
export const unreachable = (
  server: ServerAddress,
  words: string,
  cause?: unknown,
): ServerUnreachable => new ServerUnreachable(`${addressInWords(server)} ${words}`, { cause });

export const NO_ANSWER = "does not answer; check security group, route and port";

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code).slice(0, 40) : "";

/** Why there is no connection. */
export function wordsForConnect(error: unknown): string {
  const code = codeOf(error);
  switch (code) {
    case "ECONNREFUSED":
      return "refuses connections; is the server running there?";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "has no known host; check the name, and this machine's DNS";
    case "ETIMEDOUT":
      return NO_ANSWER;
    default:
      return `cannot be reached (${code}); check security group, route and port`;
  }
}

/** OpenSSL's codes for a chain that ends at no root of ours. */
const UNKNOWN_AUTHORITY = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_UNTRUSTED",
]);
const TOO_OLD = new Set(["ERR_SSL_UNSUPPORTED_PROTOCOL", "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION"]);

/** Why there is no TLS that proves who the server is. */
export function wordsForTls(error: unknown): string {
  const code = codeOf(error);
  if (UNKNOWN_AUTHORITY.has(code))
    return "has a certificate of an unknown authority; pass its PEM: --ca or NODE_EXTRA_CA_CERTS";
  if (TOO_OLD.has(code)) return "offers no TLS 1.2; set ssl_min_protocol_version there";
  if (error instanceof ConnectionClosed || code === "ECONNRESET")
    return "closed the connection in the TLS handshake; look at its log";
  switch (code) {
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "has a certificate for other names; connect by a name that is in it";
    case "CERT_HAS_EXPIRED":
      return "has a certificate that has expired; renew it there";
    case "CERT_NOT_YET_VALID":
      return "has a certificate that is not valid yet; check this machine's clock";
    default:
      return `fails the TLS handshake (${code}); look at its log`;
  }
}
