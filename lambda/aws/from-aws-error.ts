import { AwsRefusedError, MayflyError, type Service, UnavailableError } from "../../core/errors.ts";

/** Errors that a retry does not fix: somebody must change a policy or a resource. */
const LASTING =
  /^(AccessDenied|DB(?:Cluster|Instance)NotFound|Decryption|Encryption|InvalidParameter|InvalidRequest|Validation|LimitExceeded|UnrecognizedClient|MalformedPolicy|ResourceExists|ResourceNotFound|ServiceQuotaExceeded|KMS(?!Internal))/;

/** The AWS services that Mayfly calls, by the prefix of their IAM actions. */
const SERVICE_OF = {
  events: "EventBridge",
  lambda: "Lambda",
  rds: "Rds",
  scheduler: "Scheduler",
  secretsmanager: "SecretsManager",
} as const satisfies Readonly<Record<string, Service>>;

/** An IAM action, e.g. `scheduler:CreateSchedule`. */
export type AwsAction = `${keyof typeof SERVICE_OF}:${string}`;

/**
 * Convert an AWS SDK error: AwsRefusedError if a policy or resource must change, UnavailableError
 * (wait and retry) for throttling, server and network errors. Only the error's name is kept,
 * because its message may quote the request.
 *
 * @param what what failed, e.g. `schedule x could not be created`.
 */
export function fromAwsError(what: string, action: AwsAction, error: unknown): MayflyError {
  if (error instanceof MayflyError) return error;
  const name = error instanceof Error ? error.name : "unknown error";
  const text = `${what} (${name} on ${action})`;
  if (LASTING.test(name))
    return new AwsRefusedError(
      `${text}; check the function's permission ${action}, and the policy, key and quota of what it called`,
    );
  const [prefix] = action.split(":");
  return new UnavailableError(
    SERVICE_OF[prefix as keyof typeof SERVICE_OF],
    `${text}; wait and retry`,
  );
}

/** Call AWS. @throws the error converted by {@link fromAwsError}. */
export async function callAws<T>(
  what: string,
  action: AwsAction,
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fromAwsError(what, action, error);
  }
}
