import { InvokeCommand, type LambdaClient } from "@aws-sdk/client-lambda";
import { ListSchedulesCommand, type SchedulerClient } from "@aws-sdk/client-scheduler";
import { GetSecretValueCommand, type SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { byHand, type Examiner } from "../../core/doctor/examiner.ts";
import type { Finding } from "../../core/doctor/finding.ts";

/** One service that functions call, and a call that changes nothing. */
interface Endpoint {
  /** As in the names of VPC endpoints. */
  readonly service: string;
  /** The IAM action of the call. */
  readonly action: string;
  readonly resource: string;
  readonly call: () => Promise<unknown>;
}

export interface EndpointReachDeps {
  readonly region: string;
  readonly secrets: Pick<SecretsManagerClient, "send">;
  readonly scheduler: Pick<SchedulerClient, "send">;
  readonly lambda: Pick<LambdaClient, "send">;
  readonly secretArn: string;
  readonly scheduleGroup: string;
  readonly convergeArn: string;
}

/** Node's and the SDK's names if there is no route to an endpoint, or no name for it. */
const NO_ROUTE =
  /^(?:TimeoutError|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ECONNREFUSED|ECONNRESET)$/;
/** Node's if a proxy or an endpoint of somebody else's answers. */
const UNTRUSTED = /^(?:ERR_TLS_CERT_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/;
const DENIED = /^(?:AccessDenied|UnrecognizedClient|InvalidSignature|NotAuthorized)/;
const GONE = /^ResourceNotFound/;

/** The checks of endpoints by name. */
export const ENDPOINT_CHECKS: readonly string[] = ["endpoint-reach"];

/** Whether the functions reach what they call, with their own permissions, from where they are. */
export const endpointReach = (deps: EndpointReachDeps): Examiner => ({
  area: "aws",
  subject: "the functions",
  examine: () =>
    Promise.all(
      endpointsOf(deps).map(async (endpoint) => {
        const error: unknown = await endpoint.call().then(
          () => undefined,
          (reason: unknown) => reason ?? new Error("unknown"),
        );
        return judgeReach(endpoint, deps.region, error);
      }),
    ),
});

const endpointsOf = (deps: EndpointReachDeps): readonly Endpoint[] => [
  {
    service: "secretsmanager",
    action: "secretsmanager:GetSecretValue",
    resource: deps.secretArn,
    call: () => deps.secrets.send(new GetSecretValueCommand({ SecretId: deps.secretArn })),
  },
  {
    service: "scheduler",
    action: "scheduler:ListSchedules",
    resource: deps.scheduleGroup,
    call: () =>
      deps.scheduler.send(
        new ListSchedulesCommand({ GroupName: deps.scheduleGroup, MaxResults: 1 }),
      ),
  },
  {
    service: "lambda",
    action: "lambda:InvokeFunction",
    resource: deps.convergeArn,
    call: () =>
      deps.lambda.send(
        new InvokeCommand({ FunctionName: deps.convergeArn, InvocationType: "DryRun" }),
      ),
  },
];

/** What to say of one call that failed with `error`, or did not fail. */
export function judgeReach(
  { service, action, resource }: Omit<Endpoint, "call">,
  region: string,
  error: unknown,
): Finding {
  const about = { area: "aws", check: "endpoint-reach", subject: service } as const;
  if (error === undefined)
    return { ...about, verdict: "ok", evidence: `the functions reach it (${action})` };
  const { name, code } = error as { readonly name?: unknown; readonly code?: unknown };
  const names = [name, code].filter((each) => typeof each === "string");
  const what = names.join(", ") || "unknown error";
  const is = (kind: RegExp): boolean => names.some((each) => kind.test(each));
  if (is(NO_ROUTE))
    return {
      ...about,
      verdict: "broken",
      evidence: `the functions' subnets do not reach it (${what})`,
      fix: byHand(
        `give the functions' subnets an interface endpoint for com.amazonaws.${region}.${service} with private DNS, whose security group lets in port 443 from the functions' security group, or a NAT`,
      ),
    };
  if (is(UNTRUSTED))
    return {
      ...about,
      verdict: "broken",
      evidence: `what answers there has a certificate that is not Amazon's (${what})`,
      fix: byHand(
        `let the functions reach com.amazonaws.${region}.${service} without a proxy that opens TLS`,
      ),
    };
  if (is(DENIED))
    return {
      ...about,
      verdict: "broken",
      evidence: `it is reached, and refuses ${action} on ${resource} (${what})`,
      fix: byHand(
        `allow ${action} on ${resource} in the policy of the VPC endpoint for ${service}, in the permission boundary and in the service control policies, and deploy the stack again`,
      ),
    };
  if (is(GONE))
    return {
      ...about,
      verdict: "broken",
      evidence: `it is reached, and does not know ${resource} (${what})`,
      fix: byHand("deploy the stack again, which makes what is missing"),
    };
  return { ...about, verdict: "unknown", evidence: `${action} failed: ${what}` };
}
