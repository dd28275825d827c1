import type { Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import type { Fate } from "../../local/lambda/lambda-pool.ts";
import { type Runner, startRunner } from "../../local/runner.ts";
import type { RotationAttempt } from "../../local/secrets-manager/secret-rotation.ts";
import { type Clients, clientsOf } from "./clients.ts";
import { bundleRotation, output, rotator, SECRETS_MANAGER, secretNamed } from "./rotation-app.ts";
import { synthesize } from "./small-app.ts";

/** How long a failed rotation waits: for ever, unless its time is moved. */
export const RETRY_SECONDS = 600;
export const STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"];
export const DAY = 86_400_000;
/** What RotateSecret says while a rotation is not complete. */
export const REATTEMPTED = {
  name: "InvalidRequestException",
  message: "A previous rotation isn't complete. That rotation will be reattempted.",
};

/** What becomes of a step. */
type FateOf = (step: string) => Fate | Promise<Fate>;

/** A stack of secrets and of functions, one of which may rotate them: `rotator`. */
export interface RotationStage {
  readonly runner: Runner;
  readonly administrator: Clients;
  /** Who may call RotateSecret, and nothing else. */
  readonly operator: Clients;
  readonly functionArn: (name: string) => string;
  readonly attemptsOf: (secret: string) => RotationAttempt[];
  /** What `rotator` was called with for a secret. */
  readonly eventsOf: (secretArn: string | undefined) => Record<string, string>[];
  readonly decide: (fateOf: FateOf) => void;
  /** Let the functions wait before their next step. */
  readonly hold: () => void;
  /** Let everything run, also those that wait. */
  readonly release: () => void;
  end(): Promise<void>;
}

const build = (names: readonly string[], code: string) => (stack: Stack) => {
  for (const name of names) secretNamed(stack, name);
  const functionOf = (name: string) => rotator(stack, code, name, "generic");
  const arn = `arn:aws:secretsmanager:${stack.region}:${stack.account}:secret:*`;
  functionOf("rotator").addPermission("Rotate", {
    principal: SECRETS_MANAGER,
    sourceAccount: stack.account,
    sourceArn: arn,
  });
  functionOf("closed");
  const elsewhere = { principal: SECRETS_MANAGER, sourceAccount: "999999999999" };
  functionOf("elsewhere").addPermission("Rotate", elsewhere);
  const otherArn = arn.replace("secret:*", "secret:other-*");
  functionOf("other").addPermission("Rotate", { principal: SECRETS_MANAGER, sourceArn: otherArn });
  const role = new iam.Role(stack, "Operator", { assumedBy: new iam.AccountRootPrincipal() });
  role.addToPolicy(
    new iam.PolicyStatement({ actions: ["secretsmanager:RotateSecret"], resources: ["*"] }),
  );
  output(stack, "OperatorArn", role.roleArn);
};

/** Start it, with a secret by each of these names. */
export async function rotationStage(names: readonly string[]): Promise<RotationStage> {
  const bundle = bundleRotation();
  const app = synthesize(build(names, bundle.code));
  let fateOf: FateOf = () => "run";
  let goOn = (): void => undefined;
  const runner = await startRunner({
    assembly: app.assembly,
    rotationRetrySeconds: RETRY_SECONDS,
    onInvoke: (_, payload) => fateOf((JSON.parse(payload) as { Step: string }).Step),
  });
  return {
    runner,
    administrator: clientsOf(runner, "administrator"),
    operator: clientsOf(runner, runner.outputs.OperatorArn ?? ""),
    functionArn: (name) => `arn:aws:lambda:${runner.region}:${runner.accountId}:function:${name}`,
    attemptsOf: (name) =>
      runner.rotations.attempts.filter(({ secretArn }) => secretArn.includes(`:secret:${name}-`)),
    eventsOf: (secretArn) =>
      runner
        .logs("rotator")
        .flatMap(({ line }) => /\bevent (\{.*\})$/.exec(line)?.[1] ?? [])
        .map((event) => JSON.parse(event) as Record<string, string>)
        .filter(({ SecretId }) => SecretId === secretArn),
    decide: (next) => {
      fateOf = next;
    },
    hold: () => {
      const released = new Promise<Fate>((resolve) => {
        goOn = () => resolve("run");
      });
      fateOf = () => released;
    },
    release: () => {
      fateOf = () => "run";
      goOn();
    },
    end: async () => {
      await runner.stop();
      app.remove();
      bundle.remove();
    },
  };
}
