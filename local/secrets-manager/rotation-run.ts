import { AwsError } from "../http/aws-error.ts";
import type { Lambda } from "../lambda/lambda.ts";

/** The steps, in the order of the calls. */
export const STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"] as const;
export type Step = (typeof STEPS)[number];

/** The principal that calls the function. */
const SECRETS_MANAGER = "secretsmanager.amazonaws.com";

/** Why a rotation is not complete. */
export interface Failure {
  readonly step: Step;
  readonly message: string;
}

/** A running rotation. */
export interface Run {
  readonly secretArn: string;
  readonly functionArn: string;
  readonly versionId: string;
  readonly rotationToken: string;
  readonly steps: readonly Step[];
  /** True if it must end before its next step. */
  cancelled: boolean;
}

/**
 * The ARN of a secret's rotation function.
 *
 * @throws AwsError as RotateSecret, if it does not exist or does not let Secrets Manager invoke it.
 */
export async function invocable(
  lambda: Lambda,
  secretArn: string,
  wanted: string,
): Promise<string> {
  try {
    return (await lambda.assertCallableBy(SECRETS_MANAGER, secretArn, wanted)).arn;
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw new AwsError(
      "AccessDeniedException",
      `Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal ${SECRETS_MANAGER}.`,
    );
  }
}

/** Call the function for each step, up to the first failure. Never rejects. */
export async function perform(run: Run, lambda: Lambda): Promise<Failure | undefined> {
  for (const step of run.steps) {
    if (run.cancelled) return { step, message: "rotation was turned off" };
    const message = await call(run, step, lambda);
    if (message !== undefined) return { step, message };
  }
  return undefined;
}

/** The reason of a failure. */
async function call(run: Run, Step: Step, lambda: Lambda): Promise<string | undefined> {
  const { functionArn, secretArn, versionId, rotationToken } = run;
  const event = {
    Step,
    SecretId: secretArn,
    ClientRequestToken: versionId,
    RotationToken: rotationToken,
  };
  const payload = JSON.stringify(event);
  try {
    const outcome = await lambda.callByService(SECRETS_MANAGER, secretArn, {
      functionName: functionArn,
      payload,
    });
    return outcome.failed ? errorIn(outcome.payload) : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function errorIn(payload: string): string {
  try {
    const { errorMessage } = JSON.parse(payload) as { errorMessage?: unknown };
    return String(errorMessage);
  } catch {
    return payload;
  }
}
