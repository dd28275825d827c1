import { CommanderError } from "commander";
import { type ErrorType, isRetryable, MayflyError } from "../../core/errors.ts";

/** Exit statuses, those of sysexits.h where it has one. */
export const Exit = {
  ok: 0,
  usage: 64,
  doubtful: 65,
  unavailable: 69,
  software: 70,
  limit: 73,
  tryAgain: 75,
  differs: 76,
  notAllowed: 77,
  config: 78,
  noCommand: 127,
} as const;
export type Exit = (typeof Exit)[keyof typeof Exit];

/** The statuses in words, for `--help`. */
export const EXIT_HELP = `
exit status:
   0  done
  64  usage, an invalid request, or not confirmed
  65  doctor: something works, and will not always
  69  refused, left in quarantine, or no such stack, function or grant
  70  a bug, or a privilege is missing in the database
  73  a limit is reached: no lease was made; do not ask again at once
  75  try again: busy, throttled, out of time, out of reach, or unverified; doctor: unknown
  76  verify: something is not as documented; doctor: something is broken
  77  not allowed, or no credentials
  78  configuration, no Region, or a Node that is too old
 127  exec, psql: there is no such command; else their status is the command's`;

/** A command cannot go on: the message for the user, and the exit status. */
export class Failure extends Error {
  readonly status: Exit;

  constructor(status: Exit, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** A command ends with this status and has said everything: of a command that it ran, say. */
export class ExitStatus extends Error {
  /** 0 to 255. */
  readonly status: number;

  constructor(status: number) {
    super(`ended with status ${status}`);
    this.status = status;
  }
}

/** A function answered with an error. */
export class FunctionFailure extends Error {
  readonly errorType: string;

  constructor(errorType: string, message: string) {
    super(message);
    this.errorType = errorType;
  }
}

const OF_ERRORS: Readonly<Record<Exclude<ErrorType, RetryableType>, Exit>> = {
  InvalidRequestError: Exit.usage,
  NotAllowedError: Exit.notAllowed,
  LeaseEndedError: Exit.unavailable,
  LimitReachedError: Exit.limit,
  ForeignRoleError: Exit.unavailable,
  StatementRejectedError: Exit.software,
  AwsRefusedError: Exit.config,
  ConfigError: Exit.config,
  InternalError: Exit.software,
};

type RetryableType = Extract<ErrorType, `${string}UnavailableError` | "OutOfTimeError">;

/** The exit status for an `errorType`. */
export function statusOfType(errorType: string): Exit {
  if (isRetryable(errorType)) return Exit.tryAgain;
  const statuses: Readonly<Record<string, Exit>> = OF_ERRORS;
  return statuses[errorType] ?? Exit.software;
}

const OF_AWS: Readonly<Record<string, Exit>> = {
  AccessDenied: Exit.notAllowed,
  AccessDeniedException: Exit.notAllowed,
  CredentialsProviderError: Exit.notAllowed,
  ExpiredToken: Exit.notAllowed,
  ExpiredTokenException: Exit.notAllowed,
  InvalidClientTokenId: Exit.notAllowed,
  InvalidSignatureException: Exit.notAllowed,
  MissingAuthenticationToken: Exit.notAllowed,
  TokenProviderError: Exit.notAllowed,
  UnrecognizedClientException: Exit.notAllowed,
  ResourceNotFoundException: Exit.unavailable,
  Throttling: Exit.tryAgain,
  ThrottlingException: Exit.tryAgain,
  TimeoutError: Exit.tryAgain,
  TooManyRequestsException: Exit.tryAgain,
};

/** Without a Region the SDK throws a plain error; only its text identifies it. */
const NO_REGION = "Region is missing";

/** Node's codes for an address that does not answer. */
const NETWORK = /^(?:ECONN|ENOTFOUND|EAI_|EHOST|ENET|EPIPE|ETIMEDOUT)/;

/** Whether an error says that nothing answered at all. */
export function isOutOfReach(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, code }: AwsError = error;
  return name === "TimeoutError" || NETWORK.test(String(code));
}

interface AwsError {
  readonly name: string;
  readonly code?: string;
  readonly $fault?: unknown;
}

/** The exit status for an error. */
export function statusOf(error: unknown): Exit {
  if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.ok : Exit.usage;
  if (error instanceof Failure) return error.status;
  if (error instanceof FunctionFailure) return statusOfType(error.errorType);
  if (error instanceof MayflyError) return statusOfType(error.name);
  if (!(error instanceof Error)) return Exit.software;
  if (error.message === NO_REGION) return Exit.config;
  const { name, code, $fault }: AwsError = error;
  const known = OF_AWS[name];
  if (known !== undefined) return known;
  return $fault === "server" || NETWORK.test(String(code)) ? Exit.tryAgain : Exit.software;
}

/** The message for an error. It adds a remedy if the error's own message has none. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof FunctionFailure) return `${error.errorType}: ${error.message}`;
  const { name, message } = error;
  const { code }: AwsError = error;
  if (message === NO_REGION)
    return "no AWS Region is set; set AWS_REGION, or set AWS_PROFILE to a profile with a Region";
  if (name === "CredentialsProviderError")
    return `${message}; set AWS_PROFILE, or log in to AWS as you do for other programs`;
  const words = message === "" ? (code ?? name) : message;
  return NETWORK.test(String(code)) ? `${words}; check the network and AWS_ENDPOINT_URL` : words;
}
