import { randomUUID } from "node:crypto";
import type { RotateSecretRequest } from "@aws-sdk/client-secrets-manager";
import type { MovableClock } from "../clock.ts";
import { AwsError } from "../http/aws-error.ts";
import type { Session } from "../iam/identity.ts";
import type { Lambda } from "../lambda/lambda.ts";
import { Activities } from "./rotation-activities.ts";
import { nextWindow, readRules } from "./rotation-rules.ts";
import { type Failure, invocable, perform, type Run, STEPS } from "./rotation-run.ts";
import type { StoredSecret } from "./stored-secret.ts";

/** An ended attempt at a rotation, or at its test. */
export interface RotationAttempt extends Pick<Run, "secretArn" | "versionId" | "steps"> {
  /** Why it is not complete. Undefined if it is. */
  readonly failure: Failure | undefined;
}

interface RotationOptions {
  readonly lambda: Lambda;
  readonly clock: MovableClock;
  /** Time between a failure and the next attempt at the same rotation. Milliseconds. */
  readonly retryDelay: number;
  readonly onFault: (line: string) => void;
}

/** Attempts at one rotation. AWS does not document the number. */
const MOST_REATTEMPTS = 5;
/** The date of the next rotation is the last second of the window. Milliseconds. */
const SECOND = 1_000;

/** Rotates secrets: on request, by schedule, and again after a failure. */
export class SecretRotation {
  readonly #options: RotationOptions;
  /** The running rotations. */
  readonly activities = new Activities();
  #stopping = false;
  /** Oldest first. */
  readonly attempts: RotationAttempt[] = [];

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  /**
   * Configure rotation, and start one, or its test. Resolves with the id of the new version when
   * the version exists. Calls of CloudFormation have no `caller`, and no rights are checked.
   *
   * @throws AwsError as RotateSecret. Then nothing is changed.
   */
  async rotate(
    secret: StoredSecret,
    request: Omit<RotateSecretRequest, "SecretId">,
    caller?: Session,
  ): Promise<string> {
    const { RotationRules, RotateImmediately = true } = request;
    const { versions } = secret;
    const versionId = request.ClientRequestToken ?? randomUUID();
    const wanted = request.RotationLambdaARN ?? secret.rotation?.functionArn;
    if (wanted === undefined)
      throw invalid("No Lambda rotation function ARN is associated with this secret.");
    const plan = readRules(RotationRules);
    const { lambda } = this.#options;
    if (caller !== undefined) await lambda.authorizeInvoke(caller, wanted);
    const functionArn = await invocable(lambda, secret.arn, wanted);
    if (versions.find(versionId) !== undefined) {
      this.#reattempt(secret);
      return versionId;
    }
    this.#assertComplete(secret);
    versions.begin(
      versionId,
      RotateImmediately ? undefined : versions.labelled("AWSCURRENT")?.value,
    );
    secret.rotation = {
      countedFrom: this.#options.clock.now(),
      ...secret.rotation,
      ...(plan !== undefined && { rules: RotationRules, plan }),
      functionArn,
      enabled: true,
    };
    this.#schedule(secret);
    if (RotateImmediately) this.#run(secret, versionId);
    else this.#test(secret, versionId);
    return versionId;
  }

  /**
   * Turn rotation off. A running rotation ends before its next step. Labels stay.
   *
   * @throws AwsError if it was never configured.
   */
  cancel(secret: StoredSecret): void {
    if (secret.rotation === undefined)
      throw invalid(
        "You tried to enable rotation on a secret that doesn't already have a Lambda function ARN configured and you didn't include such an ARN as a parameter in this call.",
      );
    secret.rotation = { ...secret.rotation, enabled: false, nextBy: undefined };
    this.activities.halt(secret);
  }

  /** Stop rotating a deleted secret. */
  forget(secret: StoredSecret): void {
    secret.rotation = undefined;
    this.activities.halt(secret);
  }

  /** A new value by hand moves the next rotation, like a rotation. */
  changedByHand(secret: StoredSecret): void {
    if (secret.rotation?.enabled !== true) return;
    secret.rotation = { ...secret.rotation, countedFrom: this.#options.clock.now() };
    this.#schedule(secret);
  }

  /** The `RotationToken` of the running rotation. */
  rotationTokenOf(secret: StoredSecret): string | undefined {
    return this.activities.of(secret).run?.rotationToken;
  }

  /** Stop everything. Resolves when no rotation function runs. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.activities.haltAll();
    await this.activities.idle();
  }

  /** @throws AwsError if a rotation is running, or has failed and will be attempted again. */
  #assertComplete(secret: StoredSecret): void {
    const activity = this.activities.of(secret);
    if (activity.run === undefined && !isStuck(secret)) return;
    activity.failures = 0;
    this.#reattempt(secret);
    throw invalid("A previous rotation isn't complete. That rotation will be reattempted.");
  }

  /** Set the alarm for the next window. After a failure, the shown date may be in the past. */
  #schedule(secret: StoredSecret, { keepDate = false } = {}): void {
    this.activities.of(secret).window?.();
    const { rotation } = secret;
    if (rotation?.enabled !== true || this.#stopping) return;
    const { clock } = this.#options;
    const window = rotation.plan && nextWindow(rotation.plan, rotation.countedFrom, clock.now());
    if (!keepDate) secret.rotation = { ...rotation, nextBy: window && window.closes - SECOND };
    this.activities.of(secret).window =
      window && clock.at(window.opens, () => this.#openWindow(secret));
  }

  #openWindow(secret: StoredSecret): void {
    const activity = this.activities.of(secret);
    this.#schedule(secret, { keepDate: true });
    if (activity.run !== undefined) return;
    activity.failures = 0;
    if (isStuck(secret)) {
      this.#reattempt(secret);
      return;
    }
    const versionId = randomUUID();
    try {
      secret.versions.begin(versionId);
      this.#run(secret, versionId);
    } catch (error) {
      this.#options.onFault(`${secret.name} is not rotated: ${(error as Error).message}`);
    }
  }

  /** Attempt the whole rotation again, with the version that the failed attempt left. */
  #reattempt(secret: StoredSecret): void {
    const activity = this.activities.of(secret);
    activity.retry?.();
    activity.retry = undefined;
    const versionId = secret.versions.labelled("AWSPENDING")?.id;
    if (secret.rotation?.enabled === true && activity.run === undefined && versionId !== undefined)
      this.#run(secret, versionId);
    this.activities.notice();
  }

  #run(secret: StoredSecret, versionId: string): void {
    const activity = this.activities.of(secret);
    activity.retry?.();
    activity.retry = undefined;
    this.#perform(secret, versionId, STEPS, (failed, run) => {
      const isCurrent = secret.versions.labelled("AWSCURRENT")?.id === versionId;
      const failure = failed ?? (isCurrent && !isStuck(secret) ? undefined : INCOMPLETE);
      if (failure === undefined) this.#complete(secret, versionId);
      else this.#failed(secret, run);
      return failure;
    });
  }

  #complete(secret: StoredSecret, versionId: string): void {
    const now = this.#options.clock.now();
    secret.versions.unlabel(versionId, "AWSPENDING");
    secret.changedAt = new Date(now);
    this.activities.of(secret).failures = 0;
    if (secret.rotation === undefined) return;
    secret.rotation = { ...secret.rotation, rotatedAt: now, countedFrom: now };
    this.#schedule(secret);
  }

  #failed(secret: StoredSecret, run: Run): void {
    const { clock, retryDelay } = this.#options;
    const activity = this.activities.of(secret);
    activity.failures++;
    if (run.cancelled || this.#stopping || activity.failures > MOST_REATTEMPTS) return;
    activity.retry = clock.at(clock.now() + retryDelay, () => this.#reattempt(secret));
  }

  /** Run one step only, with the current value in a temporary version. */
  #test(secret: StoredSecret, versionId: string): void {
    this.#perform(secret, versionId, ["testSecret"], (failure) => {
      secret.versions.remove(versionId);
      return failure;
    });
  }

  #perform(
    secret: StoredSecret,
    versionId: string,
    steps: Run["steps"],
    conclude: (failed: Failure | undefined, run: Run) => Failure | undefined,
  ): void {
    const { lambda, onFault } = this.#options;
    const { arn: secretArn, name, rotation } = secret;
    const activity = this.activities.of(secret);
    const functionArn = rotation?.functionArn ?? "";
    const rotationToken = randomUUID();
    const run: Run = { secretArn, functionArn, versionId, rotationToken, steps, cancelled: false };
    activity.run = run;
    void perform(run, lambda).then((failed) => {
      activity.run = undefined;
      const failure = conclude(failed, run);
      this.attempts.push({ secretArn, versionId, steps, failure });
      if (failure !== undefined && !run.cancelled)
        onFault(`the rotation of ${name} failed at ${failure.step}: ${failure.message}`);
      this.activities.notice();
    });
  }
}

const INCOMPLETE: Failure = {
  step: "finishSecret",
  message: "AWSCURRENT is not on the new version, or AWSPENDING is on another one",
};

/** Whether a rotation is not complete: `AWSPENDING` and `AWSCURRENT` are on different versions. */
const isStuck = ({ versions }: StoredSecret): boolean =>
  versions.labelled("AWSPENDING")?.stages.has("AWSCURRENT") === false;

const invalid = (message: string): AwsError => new AwsError("InvalidRequestException", message);
