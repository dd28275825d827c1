/** The services that Mayfly calls and may have to wait for. */
export const SERVICES = [
  "Database",
  "EventBridge",
  "Lambda",
  "Provisioner",
  "Rds",
  "Scheduler",
  "SecretsManager",
] as const;
export type Service = (typeof SERVICES)[number];

/**
 * The names of errors, one for each remedy. Programs decide by this name only. `InternalError`
 * stands for everything that is not a {@link MayflyError}.
 */
export type ErrorType =
  | "InvalidRequestError"
  | "NotAllowedError"
  | "LeaseEndedError"
  | "LimitReachedError"
  | "ForeignRoleError"
  | "StatementRejectedError"
  | "AwsRefusedError"
  | "ConfigError"
  | "OutOfTimeError"
  | "InternalError"
  | `${Service}UnavailableError`;

/** An error whose message says what to do about it. One class per remedy. */
export abstract class MayflyError extends Error {
  /** True when the same call may succeed later with nothing changed. */
  readonly retryable: boolean = false;

  /** The class's name, written out because bundling shortens class names. */
  abstract override readonly name: string;
}

/**
 * The same error with its subject before the message, for a thrower that did not know the subject.
 */
export function withSubject<E extends MayflyError>(error: E, subject: string): E {
  error.message = `${subject}: ${error.message}`;
  return error;
}

/** Remedy: the caller fixes the request. Nothing was done. */
export class InvalidRequestError extends MayflyError {
  override readonly name = "InvalidRequestError" satisfies ErrorType;
}

/** Remedy: whoever owns the caller changes its grants. Nothing was done. */
export class NotAllowedError extends MayflyError {
  override readonly name = "NotAllowedError" satisfies ErrorType;
}

/** Remedy: the caller asks for a new credential. The lease has ended, or never existed. */
export class LeaseEndedError extends MayflyError {
  override readonly name = "LeaseEndedError" satisfies ErrorType;
}

/**
 * Remedy: an operator revokes unused leases or raises the limit. An immediate retry meets the same
 * limit.
 */
export class LimitReachedError extends MayflyError {
  override readonly name = "LimitReachedError" satisfies ErrorType;
}

/** Remedy: a DBA looks at a role that has a lease's name but is not a lease. It was not touched. */
export class ForeignRoleError extends MayflyError {
  override readonly name = "ForeignRoleError" satisfies ErrorType;
}

/** Remedy: wait and retry. */
export class UnavailableError extends MayflyError {
  override readonly name: `${Service}UnavailableError`;
  override readonly retryable: boolean = true;

  constructor(service: Service, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = `${service}UnavailableError`;
  }
}

/** Remedy: wait and retry. The database is busy or cannot be reached. */
export class DatabaseUnavailableError extends UnavailableError {
  constructor(message: string, options?: ErrorOptions) {
    super("Database", message, options);
  }
}

/** Remedy: none. The next message or sweep does what there was no time for. */
export class OutOfTimeError extends MayflyError {
  override readonly name = "OutOfTimeError" satisfies ErrorType;
  override readonly retryable: boolean = true;
}

/** The remedy where roles of Mayfly's own lack a privilege. */
export const CONVERGE =
  "mayfly converge gives Mayfly's roles what they need; docs/errors.md has the step";

/** Remedy: the operator fixes why the database refuses: a missing privilege or role. */
export class StatementRejectedError extends MayflyError {
  override readonly name = "StatementRejectedError" satisfies ErrorType;
  /** The engine's own error code; other code does not interpret it. */
  readonly engineCode: string;
  /** Our name for the statement, never its text. */
  readonly step: string;

  constructor(
    step: string,
    engineCode: string,
    { remedy, ...options }: ErrorOptions & { readonly remedy?: string } = {},
  ) {
    super(
      `the database rejected step "${step}" (code ${engineCode}); ${remedy ?? "see docs/errors.md for what each step needs"}`,
      options,
    );
    this.step = step;
    this.engineCode = engineCode;
  }
}

/** Remedy: the operator fixes why AWS refuses: a permission, a policy, a key or a quota. */
export class AwsRefusedError extends MayflyError {
  override readonly name = "AwsRefusedError" satisfies ErrorType;
}

/** Remedy: the operator fixes the configuration, or the resources it names, and deploys again. */
export class ConfigError extends MayflyError {
  override readonly name = "ConfigError" satisfies ErrorType;
}

/** Lambda's own errors: the function timed out, or its process died. */
const OF_LAMBDA = ["Sandbox.Timedout", "Runtime.ExitError"];

/** Whether the same call may succeed later without any change, decided by the error's name. */
export const isRetryable = (errorType: string): boolean =>
  errorType.endsWith("UnavailableError") ||
  errorType === "OutOfTimeError" ||
  OF_LAMBDA.includes(errorType);
