import { Annotations, Stack } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { ParsedTrust } from "../../config/config.ts";
import { checkRoots } from "../functions/function-code.ts";

/**
 * Check that the functions will have certificate authorities to trust. Warn about a server without
 * TLS.
 *
 * @throws Error as checkRoots.
 */
export function checkTrust(
  scope: Construct,
  database: string,
  assets: string,
  trust: ParsedTrust,
): void {
  checkRoots(assets, Stack.of(scope).region, trust);
  if (trust.tls !== "plaintext") return;
  Annotations.of(scope).addWarningV2(
    "mayfly:plaintext",
    `connections to ${database} have no TLS: the network can read data and the proofs of passwords; set up TLS and write tls: "verify-full"`,
  );
}
