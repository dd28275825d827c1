/** What the person or program that sees the error can do about it. One class per remedy. */
export abstract class MayflyError extends Error {
  /** Stable name for programs, e.g. `LEASE_REFUSED`. */
  abstract readonly code: string;
  /** True when the same call may succeed later with nothing changed. */
  readonly retryable: boolean = false;

  /** The class's own name, written out: bundling shortens the names of classes. */
  abstract override readonly name: string;
}

/** Remedy: the operator fixes the configuration and deploys again. */
export class ConfigError extends MayflyError {
  override readonly name = "ConfigError";
  readonly code = "CONFIG_INVALID";
}

/** Remedy: the caller fixes the request. Nothing was done. */
export class InvalidRequestError extends MayflyError {
  override readonly name = "InvalidRequestError";
  readonly code = "INVALID_REQUEST";
}

/** Remedy: whoever owns the caller changes its grants. Nothing was done. */
export class NotAllowedError extends MayflyError {
  override readonly name = "NotAllowedError";
  readonly code = "NOT_ALLOWED";
}

/** Why a lease was refused; part of the message, and a field for programs. */
export type RefusalReason = "not found" | "revoked" | "expired" | "limit reached";

/** Remedy: the caller asks for a new credential, or for fewer of them. */
export class LeaseRefusedError extends MayflyError {
  override readonly name = "LeaseRefusedError";
  readonly code = "LEASE_REFUSED";
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Remedy: none needed but to wait and retry. */
export class DatabaseUnavailableError extends MayflyError {
  override readonly name = "DatabaseUnavailableError";
  readonly code = "DATABASE_UNAVAILABLE";
  override readonly retryable: boolean = true;
}

/** Remedy: the operator fixes what the database refuses: a missing privilege, a missing role. */
export class StatementRejectedError extends MayflyError {
  override readonly name = "StatementRejectedError";
  readonly code = "STATEMENT_REJECTED";
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
