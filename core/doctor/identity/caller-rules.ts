import { broken, doubtful, type Found, fine, unclear } from "../found.ts";
import { isPodIdentity, sourceIn, sourceInWords, sourcesIn } from "./credential-source.ts";
import { type IdentityFacts, isPipeline } from "./identity-facts.ts";
import { longLived } from "./instance-rules.ts";
import { createAssociation } from "./pod-identity-rules.ts";
import { isRoleArn, isSameRole } from "./role-arn.ts";
import {
  accountInWords,
  callerArn,
  expectedRole,
  failureInWords,
  isInKubernetes,
  kubernetesIdentity,
  ROLE_ANNOTATION,
  trustsPods,
} from "./workload.ts";

/** Where the SDK takes credentials, and what it overlooks by that. */
export function credentialSource(facts: IdentityFacts): readonly Found[] {
  const { variables, instance, container, caller } = facts;
  if (variables === undefined) return [];
  const [source = "none", ...overlooked] = sourcesIn(variables);
  const subject = sourceInWords(source, variables);
  // of a runner in a pod the pod's role is not the job's
  const isOfStep = source === "keys" && isPipeline(variables.platform);
  const own = isOfStep
    ? []
    : overlooked.filter((each) => each === "web-identity" || each === "container");
  if ((source === "keys" || source === "profile") && own.length > 0) {
    const has = own.map((each) => sourceInWords(each, variables)).join("; ");
    const remove =
      source === "keys"
        ? "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
        : "AWS_PROFILE, or the default profile in the image's ~/.aws";
    return [
      broken(
        subject,
        `the SDK takes this first, and never ${has}`,
        `remove ${remove} from the container`,
      ),
    ];
  }
  if (source === "web-identity" && own.includes("container") && isPodIdentity(variables))
    return [
      doubtful(
        subject,
        "the SDK takes this first, and never EKS Pod Identity",
        `keep one: remove the annotation ${ROLE_ANNOTATION} of ${accountInWords(facts)} and restart its pods, or delete the association`,
      ),
    ];
  if (source === "keys" && variables.keys === "permanent") return [longLived(subject)];
  if (container?.kind === "foreign" && source === "container")
    return [
      broken(
        subject,
        `${container.host} is neither ECS's nor EKS's host, nor this machine: no SDK sends a token there`,
        "set AWS_CONTAINER_CREDENTIALS_FULL_URI to http://169.254.170.23/v1/credentials, or to an https:// address",
      ),
    ];
  const isNowhere =
    source === "none" || (source === "instance" && instance?.kind === "unreachable");
  if (isNowhere && caller?.kind !== "caller")
    return [
      broken(
        "the SDK's default chain",
        `no source has credentials: no keys, no profile, no web identity, no container credentials, and the instance's metadata is ${variables.isMetadataOff ? "off (AWS_EC2_METADATA_DISABLED)" : "out of reach"}`,
        nowhereRemedy(facts),
      ),
    ];
  if (source === "instance" && isInKubernetes(facts)) return [];
  return [fine(subject, "the SDK takes its credentials here")];
}

function nowhereRemedy(facts: IdentityFacts): string {
  if (isInKubernetes(facts) && trustsPods(facts)) return createAssociation(facts);
  if (isInKubernetes(facts))
    return `give ${accountInWords(facts)} a role by the annotation ${ROLE_ANNOTATION} or an association of EKS Pod Identity, and restart its pods`;
  const { variables, helper, job, trust } = facts;
  const role = expectedRole(facts)?.arn ?? trust?.roleArn ?? "the role";
  if (variables?.platform === "ecs") return "set taskRoleArn in the task definition";
  if (job?.pipeline === "github")
    return `let a step before this one take the role: aws-actions/configure-aws-credentials with role-to-assume: ${role} and aws-region; what job-token and the checks of the trust policy say comes first`;
  if (job?.pipeline === "gitlab")
    return `set AWS_ROLE_ARN to ${role}, and AWS_WEB_IDENTITY_TOKEN_FILE to a file with the token of the job's id_tokens`;
  if (helper !== undefined) return "see machine-certificate, trust-anchor and anywhere-profile";
  return "log in: aws sso login --profile <name>, and set AWS_PROFILE; a machine outside AWS gets a role by IAM Roles Anywhere";
}

/** Who AWS says we are, beside who we should be. */
export function caller(facts: IdentityFacts): readonly Found[] {
  const { caller: asked, applicationCaller, applicationError } = facts;
  const expected = expectedRole(facts);
  if (applicationError !== undefined && applicationCaller === undefined)
    return [
      broken(
        "the application",
        failureInWords(applicationError),
        "do what the other findings say; without any, run the doctor where the application runs",
      ),
    ];
  if (asked?.kind === "failed" && facts.variables?.region === undefined) return [];
  if (asked?.kind === "failed" && applicationCaller === undefined)
    return [
      broken(
        "sts:GetCallerIdentity",
        failureInWords(asked),
        asked.isNetwork
          ? "see sts-endpoint"
          : "do what the other findings say; without any, log in to AWS again, or restart the workload",
      ),
    ];
  const arn = callerArn(facts);
  if (arn === undefined) return [];
  if (expected === undefined)
    return [
      unclear(
        arn,
        "nothing says which role this should be",
        "name it with --role <arn>, or with --consumer <name>",
      ),
    ];
  if (isSameRole(arn, expected.arn)) return [fine(arn, `is ${expected.arn}, of ${expected.from}`)];
  return [broken(arn, `${expected.from} says ${expected.arn}`, otherRole(facts, expected.arn))];
}

function otherRole(facts: IdentityFacts, wanted: string): string {
  if (!isRoleArn(wanted)) return "correct the expected role: arn:aws:iam::<account>:role/<name>";
  if (facts.variables?.platform === "ecs")
    return `set taskRoleArn of the task definition to ${wanted}, or name this task's role as the consumer`;
  if (facts.job?.pipeline === "github")
    return `set role-to-assume of the step aws-actions/configure-aws-credentials to ${wanted}, or name the caller's role as the consumer (roleArn)`;
  if (facts.job?.pipeline === "gitlab")
    return `set AWS_ROLE_ARN to ${wanted}, or name the caller's role as the consumer (roleArn)`;
  return kubernetesIdentity(facts) === "none"
    ? `run the workload with ${wanted}, or name the caller's role as the consumer (roleArn)`
    : `set the role of ${accountInWords(facts)} to ${wanted} and restart its pods, or name the caller's role as the consumer`;
}

/** Clients need a Region, STS above all. */
export function region({ variables, caller: asked }: IdentityFacts): readonly Found[] {
  // files do not tell what the image and the program say of it
  if (variables === undefined || asked === undefined) return [];
  return variables.region === undefined
    ? [
        broken(
          "AWS_REGION",
          "it is not set, and no profile has a Region",
          "set AWS_REGION to the Region of the stack, e.g. eu-west-1",
        ),
      ]
    : [fine("AWS_REGION", variables.region)];
}

/** STS is reached in the workload's own Region. */
export function stsEndpoint(facts: IdentityFacts): readonly Found[] {
  const { variables, caller: asked } = facts;
  if (variables === undefined) return [];
  const { region: own, stsEndpoints } = variables;
  const subject = own === undefined ? "STS" : `sts.${own}.amazonaws.com`;
  if (asked?.kind === "failed" && asked.isNetwork)
    return [
      broken(
        subject,
        `cannot be reached: ${failureInWords(asked)}`,
        `open a way to it: an interface endpoint for com.amazonaws.${own ?? "<region>"}.sts with private DNS, or a NAT; and port 443 in the security group's egress`,
      ),
    ];
  if (stsEndpoints === "legacy" && sourceIn(variables) === "web-identity")
    return [
      doubtful(
        subject,
        "AWS_STS_REGIONAL_ENDPOINTS is legacy: older SDKs ask sts.amazonaws.com, which no VPC endpoint serves and whose sessions some Regions refuse",
        "set AWS_STS_REGIONAL_ENDPOINTS=regional, or the annotation eks.amazonaws.com/sts-regional-endpoints=true",
      ),
    ];
  return asked === undefined || asked.kind === "failed" ? [] : [fine(subject, "answers")];
}
