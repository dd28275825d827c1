import type {
  AnywhereProfileFact,
  AssociationFact,
  IdentityFacts,
  TrustAnchorFact,
  TrustFact,
  TrustStatement,
} from "../../../core/doctor/identity/identity-facts.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { claimsIn } from "../identity/projected-token.ts";
import { type Fields, fieldsOf, listOf, textOf, textsOf } from "./documents.ts";
import { instantIn } from "./from-kubernetes.ts";

/**
 * A trust policy, as `aws iam get-role` prints it: an object, or JSON whose letters are escaped.
 *
 * @param what the file, in errors.
 * @throws Failure if it is neither.
 */
export function trustIn(document: unknown, what: string, roleArn?: string): TrustFact {
  const policy = typeof document === "string" ? policyIn(document, what) : document;
  const { Statement } = fieldsOf(policy);
  const statements = (Array.isArray(Statement) ? Statement : [Statement]).map(fieldsOf);
  return {
    ...(roleArn !== undefined && { roleArn }),
    statements: statements.map(statementIn),
  };
}

function policyIn(text: string, what: string): unknown {
  try {
    return JSON.parse(decodeURIComponent(text));
  } catch {
    throw new Failure(
      Exit.usage,
      `--from: ${what} has an AssumeRolePolicyDocument that is no JSON, not even with its letters escaped; save what aws iam get-role printed`,
    );
  }
}

const ALL = [{ type: "*", value: "*" }] as const;

/** Elements that except are conditions that nobody here decides. */
function statementIn(statement: Fields): TrustStatement {
  const { Effect, Action, NotAction, Principal, NotPrincipal, Condition } = statement;
  const principals =
    typeof Principal === "string"
      ? [{ type: Principal, value: Principal }]
      : Object.entries(fieldsOf(Principal)).flatMap(([type, values]) =>
          textsOf(values).map((value) => ({ type, value })),
        );
  const conditions = Object.entries(fieldsOf(Condition)).flatMap(([operator, keys]) =>
    Object.entries(fieldsOf(keys)).map(([key, values]) => ({
      operator,
      key,
      values: valuesOf(values),
    })),
  );
  const excepted = Object.entries({ NotAction, NotPrincipal }).flatMap(([operator, value]) =>
    value === undefined ? [] : [{ operator, key: "", values: [JSON.stringify(value)] }],
  );
  return {
    effect: Effect === "Deny" ? "Deny" : "Allow",
    actions: NotAction === undefined ? textsOf(Action) : ["*"],
    principals: NotPrincipal === undefined ? principals : ALL,
    conditions: [...conditions, ...excepted],
  };
}

/** IAM takes true and numbers too. */
const valuesOf = (values: unknown): readonly string[] =>
  [values]
    .flat()
    .filter((each) => typeof each !== "object")
    .map(String);

function associationIn(value: unknown): AssociationFact {
  const { clusterName, namespace, serviceAccount, roleArn, createdAt } = fieldsOf(value);
  const role = textOf(roleArn);
  const at = instantIn(createdAt);
  return {
    cluster: textOf(clusterName) ?? "",
    namespace: textOf(namespace) ?? "",
    serviceAccount: textOf(serviceAccount) ?? "",
    ...(role !== undefined && { roleArn: role }),
    ...(at !== undefined && { createdAt: at }),
  };
}

function clusterIn(value: unknown): NonNullable<IdentityFacts["cluster"]> {
  const { name, arn, identity } = fieldsOf(value);
  const issuer = textOf(fieldsOf(fieldsOf(identity).oidc).issuer);
  return {
    name: textOf(name) ?? "",
    arn: textOf(arn) ?? "",
    ...(issuer !== undefined && { issuer }),
  };
}

function taskDefinitionIn(value: unknown): NonNullable<IdentityFacts["taskDefinition"]> {
  const { family, taskRoleArn, executionRoleArn } = fieldsOf(value);
  const [task, execution] = [textOf(taskRoleArn), textOf(executionRoleArn)];
  return {
    family: textOf(family) ?? "the task definition",
    ...(task !== undefined && { taskRoleArn: task }),
    ...(execution !== undefined && { executionRoleArn: execution }),
  };
}

/** The lowest of several instances: it is the one that fails. */
function hopLimitIn(reservations: unknown): number | undefined {
  const limits = listOf(reservations)
    .flatMap((each) => listOf(fieldsOf(each).Instances))
    .map((each) => fieldsOf(fieldsOf(each).MetadataOptions).HttpPutResponseHopLimit)
    .filter((each) => typeof each === "number");
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** What the AWS CLI printed, by its shape. Undefined if it is none that is known here. */
export function awsAnswerIn(document: Fields, what: string): Partial<IdentityFacts> | undefined {
  const { Role, Statement, association, associations, cluster, taskDefinition } = document;
  if (Role !== undefined) {
    const { Arn, AssumeRolePolicyDocument } = fieldsOf(Role);
    return { trust: trustIn(AssumeRolePolicyDocument, what, textOf(Arn)) };
  }
  if (Statement !== undefined) return { trust: trustIn(document, what) };
  if (association !== undefined) return { associations: [associationIn(association)] };
  if (Array.isArray(associations)) return { associations: associations.map(associationIn) };
  if (cluster !== undefined) return { cluster: clusterIn(cluster) };
  if (taskDefinition !== undefined) return { taskDefinition: taskDefinitionIn(taskDefinition) };
  if ("containerDefinitions" in document) return { taskDefinition: taskDefinitionIn(document) };
  return otherAnswerIn(document);
}

const trustAnchorIn = (value: unknown): TrustAnchorFact => {
  const { trustAnchorArn, enabled } = fieldsOf(value);
  return { arn: textOf(trustAnchorArn) ?? "", isEnabled: enabled !== false };
};

const anywhereProfileIn = (value: unknown): AnywhereProfileFact => {
  const { profileArn, enabled, roleArns, attributeMappings } = fieldsOf(value);
  const hasOwnMapping =
    attributeMappings !== undefined &&
    ["x509Subject", "x509Issuer"].some((field) => !isWhole(attributeMappings, field));
  return {
    arn: textOf(profileArn) ?? "",
    isEnabled: enabled !== false,
    roleArns: textsOf(roleArns),
    ...(hasOwnMapping && { hasOwnMapping }),
  };
};

/** Whether every part of a certificate's field becomes a tag. */
const isWhole = (mappings: unknown, field: string): boolean =>
  listOf(mappings)
    .map(fieldsOf)
    .filter(({ certificateField }) => certificateField === field)
    .flatMap(({ mappingRules }) => listOf(mappingRules))
    .some((rule) => fieldsOf(rule).specifier === "*");

/** What `aws rolesanywhere` printed. */
function anywhereIn(document: Fields): Partial<IdentityFacts> | undefined {
  const { trustAnchor, trustAnchors, profile, profiles } = document;
  if (trustAnchor !== undefined) return { trustAnchors: [trustAnchorIn(trustAnchor)] };
  if (trustAnchors !== undefined) return { trustAnchors: listOf(trustAnchors).map(trustAnchorIn) };
  if (profile !== undefined) return { anywhereProfiles: [anywhereProfileIn(profile)] };
  return profiles === undefined
    ? undefined
    : { anywhereProfiles: listOf(profiles).map(anywhereProfileIn) };
}

function otherAnswerIn(document: Fields): Partial<IdentityFacts> | undefined {
  const anywhere = anywhereIn(document);
  if (anywhere !== undefined) return anywhere;
  const { OpenIDConnectProviderList, ClientIDList, Url, Reservations, UserId, Arn } = document;
  if (OpenIDConnectProviderList !== undefined)
    return {
      providers: listOf(OpenIDConnectProviderList).flatMap((each) => textsOf(fieldsOf(each).Arn)),
    };
  if (ClientIDList !== undefined)
    return { provider: { url: textOf(Url) ?? "", clientIds: textsOf(ClientIDList) } };
  if (Reservations !== undefined) {
    const hopLimit = hopLimitIn(Reservations);
    return hopLimit === undefined ? {} : { hopLimit };
  }
  if (textOf(document.iss) !== undefined && textOf(document.sub) !== undefined)
    return { token: claimsIn(document) };
  const caller = UserId === undefined ? undefined : textOf(Arn);
  return caller === undefined ? undefined : { applicationCaller: caller };
}
