import { MayflyError, withSubject } from "../errors.ts";
import { checkRequest, refuseOtherSecrets } from "./check-request.ts";
import { createSecret } from "./create-secret.ts";
import { dropPendingLabel, finishSecret } from "./finish-secret.ts";
import type { SecretDescription } from "./rotation-ports.ts";
import type { RotationRequest, RotationStep } from "./rotation-request.ts";
import { setSecret } from "./set-secret.ts";
import { testSecret } from "./test-secret.ts";
import type { RotationDeps, StepFacts } from "./versions.ts";

/** The result of a step. Secrets Manager ignores it; people read it. */
export interface RotationReport {
  readonly step: RotationStep;
  readonly secretId: string;
  /** `current already`: the version already had the label. */
  readonly outcome: "done" | "current already";
}

type Step<Result> = (
  deps: RotationDeps,
  request: RotationRequest,
  secret: SecretDescription,
) => Promise<Result>;

const nothingToSay =
  (step: Step<void>): Step<StepFacts> =>
  async (...given) => {
    await step(...given);
    return {};
  };

const STEPS: Readonly<Record<RotationStep, Step<StepFacts>>> = {
  createSecret: nothingToSay(createSecret),
  setSecret,
  testSecret,
  finishSecret: nothingToSay(finishSecret),
};

/** The audit event of each finished step. */
const EVENTS = {
  createSecret: "secret.created",
  setSecret: "secret.set",
  testSecret: "secret.tested",
  finishSecret: "secret.rotated",
} as const;

/**
 * One step of a rotation, requested by Secrets Manager. In any order of steps, and after a crash
 * anywhere, only a working login becomes `AWSCURRENT`, and a labelled version holds the password
 * that the server accepts.
 *
 * @throws MayflyError with the secret, the problem and the remedy.
 */
export async function rotate(
  deps: RotationDeps,
  request: RotationRequest,
): Promise<RotationReport> {
  const { step, secretId, token } = request;
  let facts: StepFacts;
  refuseOtherSecrets(secretId, deps.secretArn);
  try {
    const secret = await deps.secrets.describe(secretId);
    // a name does not identify a secret: get its ARN from Secrets Manager
    refuseOtherSecrets(secret.arn, deps.secretArn);
    if (checkRequest(secret, request) === "done") {
      if (step === "finishSecret") await dropPendingLabel(deps, request, secret);
      return { step, secretId, outcome: "current already" };
    }
    facts = await STEPS[step](deps, request, secret);
  } catch (error) {
    throw about(secretId, step, error);
  }
  const { database, secret, strategy } = deps.settings;
  deps.telemetry.audit({
    event: EVENTS[step],
    secret,
    database,
    strategy,
    secretId,
    version: token,
    ...facts,
  });
  return { step, secretId, outcome: "done" };
}

/** Adds the secret to errors of adapters, which do not know it. */
function about(id: string, step: RotationStep, error: unknown): unknown {
  if (!(error instanceof MayflyError) || error.message.includes(id)) return error;
  return withSubject(error, `secret ${id}, ${step}`);
}
