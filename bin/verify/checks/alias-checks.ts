import { wordsOf } from "../account.ts";
import { LeaseNotMade } from "../evidence.ts";
import { differs, fine, NotMade, type Outcome } from "../outcome.ts";
import type { World } from "./check.ts";

const REFUSED_BY_IAM = /^AccessDenied/;

/**
 * The issuer takes a call through the alias for the consumer's, and refuses a call without alias.
 */
export async function aliasInArn({ evidence, stack }: World): Promise<Outcome> {
  try {
    await evidence.lease();
  } catch (error) {
    if (!(error instanceof LeaseNotMade)) throw error;
    return differs(`the call through the alias was answered ${error.errorType}: ${error.message}`);
  }
  const lease = `a lease of ${stack.role} was issued to ${stack.consumer} through its alias`;
  try {
    const answer = await evidence.bareCall();
    const { errorType } = answer;
    if (errorType === "NotAllowedError")
      return fine(`${lease}; a call without an alias was answered NotAllowedError`);
    return differs(
      `${lease}; a call without an alias was answered ${errorType ?? "as a consumer's"}: ${wordsOf(answer)}`,
    );
  } catch (error) {
    if (!(error instanceof Error && REFUSED_BY_IAM.test(error.name))) throw error;
    return fine(
      `${lease}; your own keys may not call the function without an alias, so this was not tried`,
    );
  }
}

async function assertSealed({ evidence }: World): Promise<void> {
  if (await evidence.aliasUnsealed())
    throw new NotMade("aliasUnsealed is configured: the stack's aliases have no policy");
}

/** A principal that may invoke the function may not use the alias. */
export async function aliasDeniesOthers(world: World): Promise<Outcome> {
  const { account, evidence, stack } = world;
  await assertSealed(world);
  const { leaseId } = (await evidence.lease()).credential;
  try {
    await evidence.bareCall();
  } catch (error) {
    if (!(error instanceof Error && REFUSED_BY_IAM.test(error.name))) throw error;
    throw new NotMade(
      "your own keys may not invoke the issuer at all, so a refusal proves nothing; use keys that may invoke every function",
    );
  }
  try {
    const { errorType } = await account.invoke("caller", stack.aliasArn, {
      action: "lookup",
      leaseId,
    });
    return differs(
      `the alias accepted keys that are not the consumer's, and the function answered ${errorType ?? "them"}`,
    );
  } catch (error) {
    if (!(error instanceof Error && REFUSED_BY_IAM.test(error.name))) throw error;
    return fine(
      `the alias refused keys that may invoke the function, with ${error.name}: ${error.message}`,
    );
  }
}

/** The alias also accepts the session that Lambda gives the consumer's function. */
export async function lambdaSession({ evidence }: World): Promise<Outcome> {
  const answer = await evidence.consumerFunction();
  if (answer.errorType !== undefined)
    return differs(`the consumer's function failed with ${answer.errorType}: ${wordsOf(answer)}`);
  const { rows } = answer.payload;
  return fine(
    `the consumer's function asked with the session that Lambda gives its role, and read ${Array.isArray(rows) ? rows.length : "no"} rows`,
  );
}

/** The policies on the alias, read with both of Lambda's operations. */
export async function aliasPolicy(world: World): Promise<Outcome> {
  const { account, stack } = world;
  await assertSealed(world);
  const { resourcePolicy, permissionPolicy } = await account.aliasPolicies(stack.aliasArn);
  const isDeny = (text = ""): boolean => /"Deny"/.test(text) && /aws:PrincipalArn/.test(text);
  const saw = [
    `GetResourcePolicy shows ${isDeny(resourcePolicy) ? "the Deny by aws:PrincipalArn" : "no such Deny"}`,
    `GetPolicy ${permissionPolicy === undefined ? "nothing" : isDeny(permissionPolicy) ? "the same" : "something else"}`,
  ].join(", ");
  return isDeny(resourcePolicy) ? fine(saw) : differs(saw);
}
