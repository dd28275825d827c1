import { InvokeCommand, type LambdaClient } from "@aws-sdk/client-lambda";
import { ConfigError, isRetryable, MayflyError, UnavailableError } from "../../core/errors.ts";
import type { Provisioner } from "../../core/leases/lease-ports.ts";
import type { ConvergeReport } from "../../core/provisioning/report.ts";
import { fromAwsError } from "./from-aws-error.ts";

/** How to reach the provisioner function. */
export interface ProvisionerTarget {
  readonly functionArn: string;
  readonly region: string;
  /** How long to wait for its answer. Unit: milliseconds. */
  readonly patience: number;
}

/** Without a route to an API, a connection is never made; an answer that is late has one. */
const NO_ROUTE = /^(?:TimeoutError|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|ECONNREFUSED)$/;

/** What the provisioner refused with, in its own words: nobody else has the SQL. */
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
 * @throws UnavailableError when it is busy, or has not answered in time; ConfigError when
 *   there is no way to it; and what it throws itself, under its own name.
 */
export const provisionerFunction = (
  client: Pick<LambdaClient, "send">,
  { functionArn, region, patience }: ProvisionerTarget,
): Provisioner => ({
  converge: async () => {
    const command = new InvokeCommand({
      FunctionName: functionArn,
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
      "the provisioner is busy: a deployment runs it, or another converge; try again when that is over",
    );
  if (name === "AbortError")
    return new UnavailableError(
      "Provisioner",
      "the provisioner has not answered yet and goes on; its log has what it does, and a later converge what is left",
    );
  if ([name, code].some((each) => NO_ROUTE.test(String(each))))
    return new ConfigError(
      `the Lambda API could not be reached, and with it the provisioner; give the functions' subnets an interface endpoint for com.amazonaws.${region}.lambda, or a NAT`,
    );
  return fromAwsError("the provisioner could not be called", "lambda:InvokeFunction", error);
}
