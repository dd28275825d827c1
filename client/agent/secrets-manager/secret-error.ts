import { KeeperError } from "../../keeper/errors.ts";

/** The errors that AWS's clients know, and their HTTP status. */
const STATUS = {
  ResourceNotFoundException: 400,
  InvalidRequestException: 400,
  InvalidParameterException: 400,
  SerializationException: 400,
  UnknownOperationException: 400,
  AccessDeniedException: 403,
  /** AWS's clients try again by themselves. */
  InternalServiceError: 503,
} as const;

export type SecretErrorCode = keyof typeof STATUS;

/** What a client reads instead of a secret. */
export class SecretError extends Error {
  override readonly name = "SecretError";
  readonly code: SecretErrorCode;

  /** @param message what failed, the value, the remedy. Never a token or password. */
  constructor(code: SecretErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get status(): number {
    return STATUS[this.code];
  }
}

/** What went wrong, as a client reads it. */
export function secretErrorOf(error: unknown): SecretError {
  if (error instanceof SecretError) return error;
  if (error instanceof KeeperError)
    return new SecretError("InternalServiceError", error.message, { cause: error });
  return new SecretError("InternalServiceError", "the agent has failed: ask again", {
    cause: error,
  });
}
