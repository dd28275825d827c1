/** What Mayfly calls and may have to wait for. */
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
 * What an error is called wherever it is told, one name for each remedy: programs decide by it alone.
 * `InternalError` is the name of everything that is no {@link MayflyError}.
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

/** What the person or program that sees the error can do about it. One class per remedy. */
export abstract class MayflyError extends Error {
  /** True when the same call may succeed later with nothing changed. */
  readonly retryable: boolean = false;

  /** The class's own name, written out: bundling shortens the names of classes. */
  abstract override readonly name: string;
}

/** The same error, saying what it is about, where whoever threw it did not know. */
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

/** Remedy: the caller asks for a new credential, now. The lease is over, or never was. */
export class LeaseEndedError extends MayflyError {
  override readonly name = "LeaseEndedError" satisfies ErrorType;
}

/**
 * Remedy: somebody revokes leases that are not used, or raises the limit. Asking again at once meets
 * the same limit.
 */
export class LimitReachedError extends MayflyError {
  override readonly name = "LimitReachedError" satisfies ErrorType;
}

/** Remedy: a DBA looks at a role that has a lease's name and is none. It was not touched. */
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

/** Remedy: wait and retry; it is the database that is busy or away. */
export class DatabaseUnavailableError extends UnavailableError {
  constructor(message: string, options?: ErrorOptions) {
    super("Database", message, options);
  }
}

/** Remedy: none; what there was no time for is done by the next message or sweep. */
export class OutOfTimeError extends MayflyError {
  override readonly name = "OutOfTimeError" satisfies ErrorType;
  override readonly retryable: boolean = true;
}

/** The remedy where roles of Mayfly's own lack a privilege. */
export const CONVERGE =
  "mayfly converge gives Mayfly's roles what they need; docs/errors.md has the step";

/** Remedy: the operator fixes what the database refuses: a missing privilege, a missing role. */
export class StatementRejectedError extends MayflyError {
  override readonly name = "StatementRejectedError" satisfies ErrorType;
  /** The engine's own code of what it was: opaque to everybody else. */
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

/** Remedy: the operator changes what AWS refuses: a permission, a policy, a key, a quota. */
export class AwsRefusedError extends MayflyError {
  override readonly name = "AwsRefusedError" satisfies ErrorType;
}

/** Remedy: the operator fixes the configuration, or what it names, and deploys again. */
export class ConfigError extends MayflyError {
  override readonly name = "ConfigError" satisfies ErrorType;
}

/** Lambda's own: the function's time was up, or its process died. */
const OF_LAMBDA = ["Sandbox.Timedout", "Runtime.ExitError"];

/** Whether the same call may succeed later with nothing changed, by the error's name alone. */
export const isRetryable = (errorType: string): boolean =>
  errorType.endsWith("UnavailableError") ||
  errorType === "OutOfTimeError" ||
  OF_LAMBDA.includes(errorType);
