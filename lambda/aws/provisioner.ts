import { InvokeCommand, type LambdaClient } from "@aws-sdk/client-lambda";
import { ConfigError, isRetryable, MayflyError, UnavailableError } from "../../core/errors.ts";
import type { Provisioner } from "../../core/leases/lease-ports.ts";
import type { ConvergeReport } from "../../core/provisioning/report.ts";
import { fromAwsError } from "./from-aws-error.ts";

/** The provisioner function, and how long to wait for it. */
export interface ProvisionerTarget {
  /** The ARN of its alias `converge`. */
  readonly convergeArn: string;
  readonly region: string;
  /** How long to wait for its answer. Unit: milliseconds. */
  readonly patience: number;
}

/**
 * A connection that is never established means that there is no route; a late answer has a
 * connection.
 */
const NO_ROUTE = /^(?:TimeoutError|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|ECONNREFUSED)$/;

/** The provisioner's own error, with its message, which contains the SQL for a DBA. */
class Relayed extends MayflyError {
  override readonly name: string;
  override readonly retryable: boolean;

  constructor(errorType: string, message: string) {
    super(message);
    this.name = errorType;
    this.retryable = isRetryable(errorType);
  }
}

/**
 * The provisioner function as a {@link Provisioner}.
 *
 * @throws UnavailableError if it is busy or does not answer in time; ConfigError if there is no
 *   route to it; and the provisioner's own errors, with their names.
 */
export const provisionerFunction = (
  client: Pick<LambdaClient, "send">,
  { convergeArn, region, patience }: ProvisionerTarget,
): Provisioner => ({
  converge: async () => {
    const command = new InvokeCommand({
      FunctionName: convergeArn,
      Payload: JSON.stringify({ action: "converge" }),
    });
    const abortSignal = AbortSignal.timeout(patience);
    const { FunctionError, Payload } = await client
      .send(command, { abortSignal })
      .catch((error: unknown) => {
        throw fromFailedCall(error, region);
      });
    const answer: unknown = JSON.parse(Payload?.transformToString() ?? "null");
    if (FunctionError === undefined) return answer as ConvergeReport;
    const { errorType, errorMessage } = (answer ?? {}) as Readonly<Record<string, unknown>>;
    throw new Relayed(String(errorType), String(errorMessage));
  },
});

function fromFailedCall(error: unknown, region: string): MayflyError {
  const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown };
  if (name === "TooManyRequestsException")
    return new UnavailableError(
      "Provisioner",
      "the provisioner is busy with a deployment or another converge; try again when it has finished",
    );
  if (name === "AbortError")
    return new UnavailableError(
      "Provisioner",
      "the provisioner has not answered yet and still runs; see its log, and run converge again later for what is left",
    );
  if ([name, code].some((each) => NO_ROUTE.test(String(each))))
    return new ConfigError(
      `the Lambda API could not be reached, so the provisioner was not called; give the functions' subnets an interface endpoint for com.amazonaws.${region}.lambda, or a NAT`,
    );
  return fromAwsError("the provisioner could not be called", "lambda:InvokeFunction", error);
}
