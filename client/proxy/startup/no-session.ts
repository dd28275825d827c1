import type { SourceFailure } from "../../keeper/keeper.ts";
import { ServerRefusal, ServerUnreachable } from "../server-login.ts";
import { type FatalError, fatalError } from "../wire/messages.ts";

/** A client gets no session, in words of ours. */
export class NoSession extends Error {
  override readonly name = "NoSession";
  readonly error: FatalError;

  constructor(error: FatalError, options?: ErrorOptions) {
    super(error.message, options);
    this.error = error;
  }
}

/** What to do about a source that gives no login. */
const REMEDIES = {
  denied: "Allow this workload's IAM role to invoke its alias of the issuer.",
  absent: "Check the alias in MAYFLY_LEASE_… and that the stack is deployed in this Region.",
  limit: "Raise maxLeases of the role to twice its replicas, or end leases that nobody uses.",
  throttled: "Wait: the proxy tries again. Raise the Lambda concurrency if it goes on.",
  unavailable: "Wait: the proxy tries again. Check the network to AWS and the issuer's log.",
  invalid: "Check the proxy's options against the role's configuration.",
} as const satisfies Record<SourceFailure, string>;

const failureOf = (error: unknown): SourceFailure | undefined => {
  const { failure } = error as { failure?: unknown };
  return typeof failure === "string" && failure in REMEDIES
    ? (failure as SourceFailure)
    : undefined;
};

/** Why a client gets no session. */
export interface Refusal {
  readonly sqlstate: string;
  readonly message: string;
  /** For the client: the server's own words, or ours. */
  readonly response: Buffer;
}

/**
 * Words for a client that gets no session: what the server said, unchanged; else SQLSTATE 08001 for
 * a server out of reach, 53300 for a limit, 57P03 while there is no lease.
 * What else goes wrong is a bug of ours: XX000, and the other sessions go on.
 */
export function refusalFor(error: unknown): Refusal {
  if (error instanceof ServerRefusal) {
    const { sqlstate, message, response } = error;
    return { sqlstate, message, response };
  }
  const ours = ourWords(error);
  const { sqlstate, message } = ours;
  return { sqlstate, message, response: fatalError(ours) };
}

function ourWords(error: unknown): FatalError {
  if (error instanceof NoSession) return error.error;
  if (error instanceof ServerUnreachable)
    return {
      sqlstate: "08001",
      message: `the Mayfly proxy cannot log in to the server: ${error.message}`,
      hint: "Check that the server runs, its security group, and its certificate.",
    };
  const failure = failureOf(error);
  if (failure === undefined)
    return { sqlstate: "XX000", message: `the Mayfly proxy failed: ${String(error)}` };
  return {
    sqlstate: failure === "limit" ? "53300" : "57P03",
    message: `the Mayfly proxy has no lease: ${(error as Error).message}`,
    hint: REMEDIES[failure],
  };
}
