import { isComplete, type StackResource, wordsOf } from "../account.ts";
import { differs, fine, NotMade, type Outcome } from "../outcome.ts";
import type { World } from "./check.ts";

async function endpointsOf({ account, evidence }: World): Promise<readonly StackResource[]> {
  if (!account.isAws) throw new NotMade("only a VPC has interface endpoints");
  const { resources } = await evidence.stackState();
  const endpoints = resources.filter(({ type }) => type === "AWS::EC2::VPCEndpoint");
  if (endpoints.length > 0) return endpoints;
  throw new NotMade("the stack made no interface endpoints: its functions reach AWS another way");
}

/** The VPC has no internet access, so the issuer created the schedule through the endpoint. */
export async function endpoints(world: World): Promise<Outcome> {
  const all = await endpointsOf(world);
  const bad = all.filter((each) => !isComplete(each));
  if (bad.length > 0)
    return differs(bad.map(({ logicalId, status }) => `${logicalId} is ${status}`).join(", "));
  const { credential } = await world.evidence.lease();
  return credential.revocationScheduled
    ? fine(`${all.length} endpoints were made, and the issuer made a schedule through one`)
    : differs(`${all.length} endpoints were made, but the issuer could not make a schedule`);
}

/** The consumer's function asks for its lease through Lambda's endpoint. */
export async function lambdaEndpoint(world: World): Promise<Outcome> {
  await endpointsOf(world);
  const answer = await world.evidence.consumerFunction();
  return answer.errorType === undefined
    ? fine("a function in the VPC invoked the issuer's alias and was answered")
    : differs(`a function in the VPC failed with ${answer.errorType}: ${wordsOf(answer)}`);
}
