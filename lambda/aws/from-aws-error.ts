import { ConfigError, DatabaseUnavailableError, MayflyError } from "../../core/errors.ts";

/** Faults that a later attempt meets again: somebody must change a policy or a resource. */
const LASTING =
  /^(AccessDenied|DB(?:Cluster|Instance)NotFound|Decryption|Encryption|InvalidParameter|InvalidRequest|Validation|LimitExceeded|UnrecognizedClient|MalformedPolicy|ResourceExists|ResourceNotFound|ServiceQuotaExceeded|KMS(?!Internal))/;

/**
 * Turn an AWS SDK error into ours: ConfigError when a policy or resource must change,
 * DatabaseUnavailableError (wait and retry) for throttling, server and network errors. Of the
 * error itself only its name is kept: messages may quote what was sent.
 */
export function fromAwsError(what: string, error: unknown): MayflyError {
  if (error instanceof MayflyError) return error;
  const name = error instanceof Error ? error.name : "unknown error";
  if (LASTING.test(name))
    return new ConfigError(
      `${what} (${name}); check the function's permissions, and the policy and key of what it called`,
    );
  return new DatabaseUnavailableError(`${what} (${name}); wait and retry`);
}
