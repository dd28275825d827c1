import { X509Certificate } from "node:crypto";
import * as v from "valibot";
import { object, type Report, ruled, says, text } from "./schema/fields.ts";

/** How the functions trust a server. */
export interface ParsedTrust {
  readonly tls: "verify-full" | "plaintext";
  readonly ca?: string;
}

function isPem(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
    return blocks.length > 0;
  } catch (cause) {
    // what Node says of a broken certificate is the text of OpenSSL; the remedy is the same
    if (cause instanceof Error) return false;
    throw cause;
  }
}

/** How the functions trust a server. */
export const trustEntries = {
  /**
   * PEM text of the roots to trust.
   * @default - the RDS roots of the stack's Region
   */
  ca: v.optional(text(isPem, "is not a certificate", "give the PEM text of the roots, not a path")),
  /**
   * `plaintext` sends every password through the network as the driver likes.
   * @default "verify-full"
   */
  tls: v.optional(
    v.picklist(
      ["verify-full", "plaintext"],
      says(
        "is not a way to connect",
        'write "verify-full", or "plaintext" for a server without TLS',
      ),
    ),
    "verify-full",
  ),
};

/** Fields that were read. */
export interface TrustFields {
  readonly tls: ParsedTrust["tls"];
  readonly ca?: string | undefined;
}

/** Nobody checks a certificate where there is no TLS. */
export function checkTrust({ tls, ca }: TrustFields, report: Report): void {
  if (tls === "plaintext" && ca !== undefined)
    report(["tls"], says("does not go with ca", "remove ca, or write verify-full"));
}

/** What a construct is given of it. */
export const trustSchema = ruled(
  object(trustEntries, "give ca or tls"),
  (fields: TrustFields, report, isFine) => {
    if (isFine("tls") && isFine("ca")) checkTrust(fields, report);
  },
);

export const toTrust = ({ tls, ca }: TrustFields): ParsedTrust => ({
  tls,
  ...(ca !== undefined && { ca }),
});
