import { INSTANCES_SERVICE, TASKS_SERVICE } from "../../aws/workload-identity.ts";
import { broken, doubtful, type Found, fine, unclear } from "../found.ts";
import { sourceIn } from "./credential-source.ts";
import type { IdentityFacts } from "./identity-facts.ts";
import { createAssociation } from "./pod-identity-rules.ts";
import { isInstanceSession, isSameRole, roleIn } from "./role-arn.ts";
import { isAnywhere } from "./roles-anywhere-rules.ts";
import { conditionInWords, denialsIn, isAbout, isForEverybody } from "./trust-conditions.ts";
import {
  accountInWords,
  accountOf,
  annotatedRole,
  callerArn,
  expectedRole,
  isInKubernetes,
  kubernetesIdentity,
  ROLE_ANNOTATION,
  trustsPods,
  works,
} from "./workload.ts";

/** What runs in Kubernetes or ECS has no business with its machine's role. */
export function nodeRole(facts: IdentityFacts): readonly Found[] {
  const { instance, variables } = facts;
  const arn = callerArn(facts);
  const isContainer = isInKubernetes(facts) || variables?.platform === "ecs";
  if (arn === undefined || !isContainer) return [];
  const expected = expectedRole(facts);
  if (expected !== undefined && isSameRole(expected.arn, arn)) return [];
  const isNode =
    isInstanceSession(arn) || (instance?.kind === "role" && instance.role === roleIn(arn)?.name);
  if (!isNode) return [];
  return [
    broken(
      arn,
      "calls run with the role of the machine, which every container on it can take",
      nodeRemedy(facts),
    ),
  ];
}

function nodeRemedy(facts: IdentityFacts): string {
  if (facts.variables?.platform === "ecs")
    return "set taskRoleArn in the task definition, and deploy it; set ECS_AWSVPC_BLOCK_IMDS=true on the instances";
  if (kubernetesIdentity(facts) !== "none")
    return "the pod's own role is configured, and not used: what pod-age, webhook and sdk say mends it";
  if (trustsPods(facts)) return createAssociation(facts);
  const account = accountOf(facts);
  const of = `-n ${account?.namespace ?? "<namespace>"} ${account?.name ?? "<service account>"}`;
  return `give ${accountInWords(facts)} a role: kubectl annotate serviceaccount ${of} ${ROLE_ANNOTATION}=${annotatedRole(facts) ?? expectedRole(facts)?.arn ?? "<role ARN>"}, and restart its pods; or aws eks create-pod-identity-association`;
}

/** Answers of the metadata service do not come through to a container. */
export function hopLimit(facts: IdentityFacts): readonly Found[] {
  const { instance, hopLimit: limit, variables } = facts;
  const isNeeded = variables === undefined || sourceIn(variables) === "instance";
  if (!isNeeded || isInKubernetes(facts)) return silentInKubernetes(facts);
  const isSilent = instance?.kind === "silent";
  const set =
    "aws ec2 modify-instance-metadata-options --instance-id <id> --http-tokens required --http-put-response-hop-limit 2";
  if (isSilent || limit === 1)
    return [
      broken(
        "the instance's metadata",
        isSilent
          ? `169.254.169.254 accepts a connection, and its token does not arrive: the hop limit is ${limit ?? 1}`
          : "HttpPutResponseHopLimit is 1: answers do not reach containers",
        set,
      ),
    ];
  return limit === undefined || instance?.kind === "unreachable"
    ? []
    : [fine("the instance's metadata", `HttpPutResponseHopLimit is ${limit}`)];
}

/** A pod should not need the metadata at all; that it is out of reach is as it should be. */
function silentInKubernetes(facts: IdentityFacts): readonly Found[] {
  const { instance, variables, hopLimit: limit } = facts;
  const isSource = variables !== undefined && sourceIn(variables) === "instance";
  if (!isSource || instance?.kind !== "silent") return [];
  return [
    broken(
      "the instance's metadata",
      `the container has no role of its own, and the metadata's token does not arrive: the hop limit is ${limit ?? 1}`,
      `give ${accountInWords(facts)} a role (IRSA or EKS Pod Identity). Only if it shall have the node's: aws ec2 modify-instance-metadata-options --instance-id <id> --http-tokens required --http-put-response-hop-limit 2`,
    ),
  ];
}

/** The instance has a role. */
export function instanceRole(facts: IdentityFacts): readonly Found[] {
  const { instance, variables } = facts;
  if (variables === undefined || sourceIn(variables) !== "instance" || isInKubernetes(facts))
    return [];
  if (variables.platform === "ecs") return [];
  switch (instance?.kind) {
    case "no-role":
      return [
        broken(
          "the instance",
          "it has no instance profile, or the profile has no role",
          `aws ec2 associate-iam-instance-profile --instance-id <id> --iam-instance-profile Name=<profile of ${expectedRole(facts)?.arn ?? "the role"}>`,
        ),
      ];
    case "role":
      return [fine("the instance", `its profile has the role ${instance.role}`)];
    default:
      return [];
  }
}

/** The role of the task, not the one that starts it. */
export function executionRole(facts: IdentityFacts): readonly Found[] {
  const { taskDefinition, expected, trust } = facts;
  const granted = expected?.arn ?? trust?.roleArn;
  const execution = taskDefinition?.executionRoleArn;
  if (taskDefinition === undefined || granted === undefined || execution === undefined) return [];
  const { family, taskRoleArn } = taskDefinition;
  if (!isSameRole(granted, execution) || (taskRoleArn && isSameRole(granted, taskRoleArn)))
    return [fine(family, `${granted} is not its execution role`)];
  return [
    broken(
      family,
      `${granted} has the grant, and is the execution role: ECS uses it to start the task, the application never has it`,
      taskRoleArn === undefined
        ? `set taskRoleArn of ${family} to a role of the application's own, name that role as the consumer, and deploy both`
        : `name its task role ${taskRoleArn} as the consumer (identity of ecs, or roleArn), and deploy`,
    ),
  ];
}

/** The task has a role, and gets it. */
export function taskRole(facts: IdentityFacts): readonly Found[] {
  const { taskDefinition, variables, container, expected } = facts;
  const isTask = taskDefinition !== undefined || variables?.platform === "ecs";
  if (!isTask) return [];
  const family = taskDefinition?.family ?? "the task definition";
  const isWithout =
    (taskDefinition !== undefined && taskDefinition.taskRoleArn === undefined) ||
    (variables?.platform === "ecs" && sourceIn(variables) !== "container");
  if (isWithout)
    return [
      broken(
        family,
        taskDefinition === undefined
          ? "the container has no AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: its task has no role"
          : "it has no taskRoleArn",
        `set taskRoleArn of ${family} to ${expected?.arn ?? "the consumer's role"}, and deploy it`,
      ),
    ];
  if (container?.kind === "refused" || container?.kind === "unreachable")
    return [
      broken(
        family,
        container.kind === "refused"
          ? `169.254.170.2 answers ${container.status}: ${container.words}`
          : `169.254.170.2 cannot be reached (${container.code})`,
        `let the role's trust policy allow sts:AssumeRole to ${TASKS_SERVICE}, and start the task again`,
      ),
    ];
  const has =
    taskDefinition?.taskRoleArn ??
    (container?.kind === "credentials" ? container.roleArn : undefined);
  if (has === undefined || (expected !== undefined && !isSameRole(has, expected.arn))) return [];
  return [fine(family, `its task role is ${has}`)];
}

/** The services that give roles to what is no pod. */
const SERVICES: Readonly<Record<string, string>> = {
  ecs: TASKS_SERVICE,
  lambda: "lambda.amazonaws.com",
  other: INSTANCES_SERVICE,
};

/** The service may take the role for the workload. */
export function serviceTrust(facts: IdentityFacts): readonly Found[] {
  const { trust, variables, taskDefinition } = facts;
  const platform =
    taskDefinition !== undefined || variables?.platform === "ecs"
      ? "ecs"
      : (variables?.platform ?? "other");
  const service = SERVICES[platform];
  if (trust === undefined || service === undefined || isInKubernetes(facts)) return [];
  const role = trust.roleArn ?? "the role";
  if (platform === "other" && !isRoleOfInstance(facts, role)) return [];
  const its = trust.statements.filter(
    (each) =>
      isAbout(each, "sts:AssumeRole") &&
      (isForEverybody(each) ||
        each.principals.some(({ type, value }) => type === "Service" && value === service)),
  );
  if (!its.some(({ effect }) => effect === "Allow"))
    return [
      broken(
        role,
        `its trust policy does not let in ${service}`,
        `in its trust policy, allow sts:AssumeRole to {"Service": "${service}"}`,
      ),
    ];
  const denials = denialsIn(its, () => undefined);
  const [denial] = works(facts) ? [] : denials;
  if (denial === undefined) return [fine(role, `its trust policy lets in ${service}`)];
  const { conditions } = denial.statement;
  return conditions.length === 0
    ? [
        broken(
          role,
          `a statement of its trust policy denies sts:AssumeRole to ${service}`,
          `in its trust policy, let that statement with "Effect": "Deny" no longer fit ${service}`,
        ),
      ]
    : [
        unclear(
          role,
          `a statement of its trust policy denies sts:AssumeRole under conditions that cannot be decided here: ${conditions.map(conditionInWords).join(" and ")}`,
          "compare them with what CloudTrail has of the refused call, and leave the statement there: it keeps others out",
        ),
      ];
}

/** This machine is an instance, and the role is its own: a file alone does not tell. */
const isRoleOfInstance = (facts: IdentityFacts, role: string): boolean =>
  facts.variables !== undefined &&
  sourceIn(facts.variables) === "instance" &&
  facts.instance?.kind === "role" &&
  facts.instance.role === roleIn(role)?.name &&
  // AWS's credential helper can stand for the metadata service
  !isAnywhere(facts);

/** Keys of a user never end. */
export const longLived = (subject: string): Found =>
  doubtful(
    subject,
    "AWS_ACCESS_KEY_ID is the key of a user: it does not end by itself",
    "give the workload a role, and remove AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
  );
