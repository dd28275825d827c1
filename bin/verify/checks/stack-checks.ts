import { isComplete, type StackState, wordsOf } from "../account.ts";
import { differs, fine, NotMade, type Outcome } from "../outcome.ts";
import type { Deployed } from "../stack-under-test.ts";
import { aliasDeniesOthers } from "./alias-checks.ts";
import type { World } from "./check.ts";

/** The stack and its resources are complete. */
export async function stackDeploys({ evidence, stack }: World): Promise<Outcome> {
  const { status, resources } = await evidence.stackState();
  const bad = resources.filter((each) => !isComplete(each));
  const took =
    stack.deployed === undefined
      ? ""
      : `, deployed in ${Math.ceil(stack.deployed.took / 60_000)} minutes`;
  const stacks = stack.databaseStack === undefined ? "the stack is" : "its two stacks are";
  const saw = `${stacks} ${status} with ${resources.length} resources${took}`;
  if (isComplete({ status }) && bad.length === 0) return fine(saw);
  return differs([saw, ...bad.map((each) => `${each.logicalId} is ${each.status}`)].join(", "));
}

const provisioned = ({ resources }: StackState) =>
  resources.filter(({ type }) => type === "Custom::MayflyProvision");

/** The provisioner fails the deployment if the administrator cannot grant the role. */
export async function signalBackend({ evidence }: World): Promise<Outcome> {
  const found = provisioned(await evidence.stackState());
  if (found.length === 0) throw new NotMade("the stack has no provisioned database");
  const bad = found.filter((each) => !isComplete(each));
  return bad.length === 0
    ? fine("the provisioner finished: the administrator could grant pg_signal_backend")
    : differs(bad.map(({ logicalId, status }) => `${logicalId} is ${status}`).join(", "));
}

/** @throws NotMade if this run did not deploy the stack. */
export function ownStack({ stack }: World): Deployed {
  if (stack.deployed !== undefined) return stack.deployed;
  throw new NotMade("this check changes the stack, so it runs only without --stack");
}

/** A new version of the issuer moves the alias. The alias must keep its policy. */
export async function updateKeepsPolicy(world: World): Promise<Outcome> {
  await ownStack(world).redeploy();
  const { verdict, saw } = await aliasDeniesOthers(world);
  return { verdict, saw: `after an update, ${saw}` };
}

/** The operator function waits for the provisioner on an idle connection. */
export async function converge(world: World): Promise<Outcome> {
  ownStack(world);
  const { account, stack, time } = world;
  const start = time.now();
  const answer = await account.invoke("caller", stack.operatorArn, { action: "converge" });
  const seconds = ((time.now() - start) / 1_000).toFixed(1);
  return answer.errorType === undefined
    ? fine(`converge was answered after ${seconds} s`)
    : differs(`converge failed with ${answer.errorType}: ${wordsOf(answer)}`);
}
