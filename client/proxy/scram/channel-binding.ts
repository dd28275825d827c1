import { createHash } from "node:crypto";
import type { TLSSocket } from "node:tls";

/** Object identifiers of signature algorithms, DER in hex, to the hash that RFC 5929 takes. */
const HASHES: Readonly<Record<string, string>> = {
  "2a864886f70d010104": "sha256", // RSA with MD5
  "2a864886f70d010105": "sha256", // RSA with SHA-1
  "2a864886f70d01010b": "sha256", // RSA with SHA-256
  "2a864886f70d01010c": "sha384",
  "2a864886f70d01010d": "sha512",
  "2a864886f70d01010e": "sha224",
  "2a8648ce3d0401": "sha256", // ECDSA with SHA-1
  "2a8648ce3d040301": "sha224",
  "2a8648ce3d040302": "sha256",
  "2a8648ce3d040303": "sha384",
  "2a8648ce3d040304": "sha512",
};

/**
 * The channel binding `tls-server-end-point` of a connection: a hash of the server's certificate.
 * RFC 5929 section 4.1. Undefined if its signature has no hash of its own there, as Ed25519 and
 * RSA-PSS.
 */
export function channelBindingOf(socket: TLSSocket): Buffer | undefined {
  const certificate = socket.getPeerX509Certificate()?.raw;
  if (certificate === undefined) return undefined;
  const hash = HASHES[signatureAlgorithm(certificate).toString("hex")];
  return hash === undefined ? undefined : createHash(hash).update(certificate).digest();
}

/**
 * Content of the OBJECT IDENTIFIER of `Certificate.signatureAlgorithm`. X.509:
 * `SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OBJECT IDENTIFIER, ... } }`.
 */
function signatureAlgorithm(certificate: Buffer): Buffer {
  const toBeSigned = elementAt(certificate, elementAt(certificate, 0).from);
  const algorithm = elementAt(certificate, toBeSigned.to);
  const identifier = elementAt(certificate, algorithm.from);
  return certificate.subarray(identifier.from, identifier.to);
}

/** Where the content of a DER element begins and ends. OpenSSL has read the certificate before. */
function elementAt(der: Buffer, at: number): { from: number; to: number } {
  const short = der.readUInt8(at + 1);
  const bytes = short < 0x80 ? 0 : short - 0x80;
  const from = at + 2 + bytes;
  return { from, to: from + (bytes === 0 ? short : der.readUIntBE(at + 2, bytes)) };
}
