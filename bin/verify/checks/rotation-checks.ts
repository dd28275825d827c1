import { type Instant, minutes, seconds } from "../../../core/time.ts";
import type { SecretState } from "../account.ts";
import { differs, fine, NotMade, type Outcome } from "../outcome.ts";
import { waitFor } from "../wait-for.ts";
import type { World } from "./check.ts";
import { ownStack } from "./stack-checks.ts";

/** The label of an unfinished rotation. On the current version it has no meaning. */
const isStuck = ({ labels }: SecretState): boolean =>
  [...labels.values()].some((each) => each.includes("AWSPENDING") && !each.includes("AWSCURRENT"));

/** Longest time of a rotation, with Secrets Manager's retries. */
const FIRST_ROTATION = minutes(5);

/** Secrets Manager ran the four steps for the stack's secrets and removed AWSPENDING. */
export async function rotationsRun({ account, evidence, stack, time }: World): Promise<Outcome> {
  const { resources } = await evidence.stackState();
  const secrets = resources.filter(({ type }) => type === "AWS::SecretsManager::Secret");
  const look = async () => {
    const states = await Promise.all(
      secrets.map(async ({ logicalId, physicalId }) => ({
        logicalId,
        ...(await account.secretState(physicalId)),
      })),
    );
    // a secret may still wait for its first window
    return states.filter(
      ({ rotatorArn, lastRotatedAt }) =>
        rotatorArn !== undefined && (stack.deployed !== undefined || lastRotatedAt !== undefined),
    );
  };
  const isPending = (each: SecretState): boolean =>
    each.lastRotatedAt === undefined || isStuck(each);
  const done = await waitFor(time, FIRST_ROTATION, async () => {
    const states = await look();
    return states.some(isPending) ? undefined : states;
  });
  const rotated = done ?? (await look());
  if (rotated.length === 0) throw new NotMade("no secret of the stack was rotated yet");
  const bad = rotated.filter(isPending);
  return bad.length === 0
    ? fine(`${rotated.length} secrets were rotated by their functions, and none is pending`)
    : differs(`not rotated, or pending: ${bad.map(({ logicalId }) => logicalId).join(", ")}`);
}

/** Longest time of a rotation. The function of a master user has five minutes. */
const ROTATION = minutes(10);

/** Start a rotation and wait for its end. Resolves with its length in seconds, or undefined. */
async function rotate({ account, time }: World, arn: string): Promise<number | undefined> {
  const before = await account.secretState(arn);
  if (isStuck(before)) throw new NotMade("a rotation of the secret is not finished");
  const start = time.now();
  const current = currentOf(before);
  await account.rotateSecret(arn);
  const end = await waitFor(time, ROTATION, async (): Promise<Instant | undefined> => {
    const state = await account.secretState(arn);
    return currentOf(state) !== current && !isStuck(state) ? time.now() : undefined;
  });
  return end === undefined ? undefined : (end - start) / 1_000;
}

const currentOf = ({ labels }: SecretState): string | undefined =>
  [...labels].find(([, each]) => each.includes("AWSCURRENT"))?.[0];

/** Time until a removed permission has no effect any more. */
const PROPAGATION = seconds(30);

/** The only permission requires the secret's ARN, so a call without SourceArn would be refused. */
export async function sourceArn(world: World): Promise<Outcome> {
  const { userSecretArn } = ownStack(world);
  const { account, cleanup, time } = world;
  const { rotatorArn } = await account.secretState(userSecretArn);
  if (rotatorArn === undefined) return differs("the secret has no rotation function");
  const restore = await account.allowOnlySecret(rotatorArn, userSecretArn);
  const forget = cleanup.add({
    what: `the changed permission of ${rotatorArn}`,
    byHand: "delete the stack, or deploy it anew",
    remove: restore,
  });
  await time.wait(PROPAGATION);
  const took = await rotate(world, userSecretArn).catch((error: Error) => {
    if (error.name === "AccessDeniedException") return error;
    throw error;
  });
  await restore();
  forget();
  if (typeof took === "number")
    return fine(`a rotation that only aws:SourceArn allows took ${took.toFixed(0)} s`);
  return differs(
    took === undefined
      ? "with a permission for this SourceArn alone, the rotation did not end in ten minutes"
      : `with a permission for this SourceArn alone, the rotation was refused: ${took.message}`,
  );
}

/** RDS applies the new master password, and the function logs in with it. */
export async function masterPassword(world: World): Promise<Outcome> {
  const { masterSecretArn } = ownStack(world);
  const took = await rotate(world, masterSecretArn);
  return took === undefined
    ? differs("the rotation of the master password did not end in ten minutes")
    : fine(`the rotation of the master password took ${took.toFixed(0)} s in all`);
}
