import { readFileSync } from "node:fs";
import {
  type ConnectionOptions,
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
  type SecureContext,
} from "node:tls";
import { ConfigError } from "../../../core/errors.ts";

/** The TLS settings of a deployment. */
export interface TlsSettings {
  readonly tls: "verify-full" | "plaintext";
  /** PEM of the roots to trust instead of the Region's RDS roots. */
  readonly ca?: string;
}

/**
 * `verify-full` for node-postgres: the chain against the configured roots, else the Region's RDS
 * roots shipped in `rds-ca/`, plus what `NODE_EXTRA_CA_CERTS` names; and the name against `host`.
 *
 * `checkServerIdentity` is set because the driver omits a name that is an IP address, and Node
 * would then check the certificate against `localhost`.
 *
 * @throws ConfigError if no roots are shipped for the Region.
 */
export function tlsOptions(
  host: string,
  { tls, ca }: TlsSettings,
  shipped: { readonly region: string; readonly folder: string },
): ConnectionOptions | false {
  if (tls === "plaintext") return false;
  return {
    secureContext: trusting(ca ?? rdsRoots(shipped)),
    rejectUnauthorized: true,
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  };
}

const contexts = new Map<string, SecureContext>();

/** Parsing roots takes longer than a handshake, so each text is parsed once, not per connection. */
function trusting(roots: string): SecureContext {
  const known = contexts.get(roots);
  if (known !== undefined) return known;
  const ca = [roots, ...getCACertificates("extra")];
  const context = createSecureContext({ ca, minVersion: "TLSv1.2" });
  contexts.set(roots, context);
  return context;
}

function rdsRoots({ region, folder }: { region: string; folder: string }): string {
  try {
    return readFileSync(`${folder}/rds-ca/${region}.pem`, "utf8");
  } catch (cause) {
    throw new ConfigError(
      `no RDS root certificates are shipped for Region "${region}"; set the database's "ca" to the PEM of its authority`,
      { cause },
    );
  }
}
