import { ACCOUNT, REGION, type Resolved } from "../resolved.ts";
import { ofType, type Resource, type Resources } from "../synthesized.ts";
import type { Kind } from "./actions.ts";
import { listOf, type Statement } from "./decide.ts";

/** Something that may be acted upon. */
export interface Target {
  readonly kind: Kind;
  readonly name: string;
  readonly arn: string;
  readonly policy: readonly Statement[];
}

/** Somebody who may act. */
export interface Principal {
  readonly name: string;
  /** A role's ARN, a service's name, or the ARN of an identity provider. */
  readonly arn: string;
  readonly statements: readonly Statement[];
  readonly context: Readonly<Record<string, string>>;
}

/** All of a template that decides who may do what. */
export interface World {
  readonly roles: readonly Principal[];
  readonly targets: readonly Target[];
  /** By the name of the endpoint's service. */
  readonly endpoints: ReadonlyMap<string, readonly Statement[]>;
  /** What decides who may do what, and is nobody's and nothing's here. */
  readonly unread: readonly string[];
}

/** A logical id without what CDK adds, so that a table can name it. */
export const nameOf = (id: string): string => id.replace(/[0-9A-F]{8}(?:[0-9a-f]{32})?$/, "");

const at = (service: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}`;

const KINDS: Readonly<Record<string, Kind>> = {
  "AWS::SecretsManager::Secret": "secret",
  "AWS::Lambda::Function": "function",
  "AWS::IAM::Role": "role",
  "AWS::SQS::Queue": "queue",
  "AWS::Scheduler::ScheduleGroup": "group",
  "AWS::Logs::LogGroup": "log",
};

const statementsOf = (document: unknown): readonly Statement[] =>
  [(document as { Statement?: Statement | Statement[] } | undefined)?.Statement ?? []].flat();

/** What nobody of the stack may touch, and what the template names only by patterns. */
function others(resolved: Resolved): readonly Target[] {
  const [group = ""] = resolved.arns("AWS::Scheduler::ScheduleGroup");
  const own = group.slice(group.indexOf("/") + 1);
  const elsewhere = "arn:aws:secretsmanager:eu-west-1:999999999999:secret:theirs-AbCdEf";
  const foreign: readonly (readonly [Kind, string, string])[] = [
    ["schedule", "a schedule of the group", `${at("scheduler")}:schedule/${own}/x`],
    ["schedule", "a schedule of another group", `${at("scheduler")}:schedule/${own}-other/x`],
    ["schedule", "a schedule of the default group", `${at("scheduler")}:schedule/default/x`],
    ["group", "another group", `${at("scheduler")}:schedule-group/${own}-other`],
    ["secret", "another secret", `${at("secretsmanager")}:secret:other-AbCdEf`],
    ["secret", "another account's secret", elsewhere],
    ["function", "another function", `${at("lambda")}:function:other`],
    ["role", "another role", `arn:aws:iam::${ACCOUNT}:role/other`],
    ["instance", "another instance", `${at("rds")}:db:other`],
    ["key", "a key", `${at("kms")}:key/0b9a5ae0-c8f1-11f0-9a44-0a58a9feac02`],
    ["subnet", "a subnet", `${at("ec2")}:subnet/subnet-0123456789abcdef0`],
    ["interface", "a network interface", `${at("ec2")}:network-interface/eni-0123456789abcdef0`],
    ["account", "the account", "*"],
  ];
  return foreign.map(([kind, name, arn]) => ({ kind, name, arn, policy: [] }));
}

/** The world of a template. */
export function worldOf(resources: Resources, resolved: Resolved): World {
  const permissions = permissionsIn(resources, resolved);
  const policyOf = (arn: string): readonly Statement[] => [
    ...statementsOf(resolved.resourcePolicy(arn)),
    ...permissions.filter(({ on }) => on === arn).map(asStatement),
  ];
  const target = (kind: Kind, name: string, arn: string): Target => ({
    kind,
    name,
    arn,
    policy: policyOf(arn),
  });
  const made = Object.entries(resources).flatMap(([id, { Type, Properties }]): Target[] => {
    const kind = KINDS[Type];
    if (Type === "AWS::Lambda::Alias") {
      const name = String(Properties.Name);
      return [target("alias", `alias ${name}`, resolved.arnOf(id))];
    }
    if (Type === "AWS::RDS::DBInstance") return [target("instance", nameOf(id), rdsArn(id))];
    if (kind === undefined) return [];
    const arn = resolved.arnOf(id);
    if (kind === "role") {
      const policy = statementsOf(resolved.value(Properties.AssumeRolePolicyDocument));
      return [{ kind, name: nameOf(id), arn, policy: policy.map((each) => of(each, arn)) }];
    }
    if (kind !== "function") return [target(kind, nameOf(id), arn)];
    const qualified = ["$LATEST", "1", "unknown--alias"].map((qualifier) =>
      target("alias", `${nameOf(id)}:${qualifier}`, `${arn}:${qualifier}`),
    );
    return [target(kind, nameOf(id), arn), ...qualified];
  });
  const arns = new Set(made.map(({ arn }) => arn));
  return {
    unread: [
      ...unreadIn(resources),
      ...permissions
        .filter(({ on }) => !arns.has(on))
        .map(({ id }) => `${id}: of no function here`),
    ],
    roles: ofType(resources, "AWS::IAM::Role").map(([id, role]) => ({
      name: nameOf(id),
      arn: resolved.arnOf(id),
      statements: statementsOfRole(id, role, resources, resolved),
      context: {},
    })),
    targets: [...made, ...others(resolved)],
    endpoints: new Map(
      ofType(resources, "AWS::EC2::VPCEndpoint").map(([, { Properties }]) => [
        String(resolved.value(Properties.ServiceName)).split(".").at(-1) ?? "",
        statementsOf(resolved.value(Properties.PolicyDocument)),
      ]),
    ),
  };
}

/** A permission of Lambda, and the ARN that it is on. */
interface Permission {
  readonly id: string;
  readonly on: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** A function is named by its ARN, or by its name, which is what a reference to it is. */
function permissionsIn(resources: Resources, resolved: Resolved): readonly Permission[] {
  return ofType(resources, "AWS::Lambda::Permission").map(([id, { Properties }]) => {
    const { Ref: reference } = Properties.FunctionName as { readonly Ref?: string };
    const isFunction = resources[reference ?? ""]?.Type === "AWS::Lambda::Function";
    const named = isFunction
      ? resolved.arnOf(String(reference))
      : String(resolved.value(Properties.FunctionName));
    const on = named.startsWith("arn:") ? named : `${at("lambda")}:function:${named}`;
    return { id, on, properties: resolved.value(Properties) as Readonly<Record<string, string>> };
  });
}

/** Policies that are elsewhere, principals and doors that no table knows. */
function unreadIn(resources: Resources): readonly string[] {
  const doors =
    /^AWS::Lambda::(?:Url|LayerVersionPermission)$|^AWS::IAM::(?:User|Group|AccessKey|UserToGroupAddition)$/;
  return Object.entries(resources).flatMap(([id, { Type, Properties }]) => [
    ...(doors.test(Type) ? [`${id}: ${Type}`] : []),
    ...["ManagedPolicyArns", "Users", "Groups"].flatMap((key) =>
      Type.startsWith("AWS::IAM::") && [Properties[key] ?? []].flat().length > 0
        ? [`${id}: ${key} ${JSON.stringify(Properties[key])}`]
        : [],
    ),
  ]);
}

const rdsArn = (id: string): string => `${at("rds")}:db:${id}`;

/** A trust policy names no resource; its role is meant. */
const of = (statement: Statement, arn: string): Statement => ({ ...statement, Resource: arn });

function statementsOfRole(
  id: string,
  { Properties }: Resource,
  resources: Resources,
  resolved: Resolved,
): readonly Statement[] {
  const inline = (Properties.Policies ?? []) as readonly { PolicyDocument: unknown }[];
  const attached = ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"].flatMap((type) =>
    ofType(resources, type).filter(([, policy]) =>
      JSON.stringify(policy.Properties.Roles ?? []).includes(`"${id}"`),
    ),
  );
  return [
    ...inline.map(({ PolicyDocument }) => PolicyDocument),
    ...attached.map(([, policy]) => policy.Properties.PolicyDocument),
  ].flatMap((document) => statementsOf(resolved.value(document)));
}

function asStatement({ on, properties }: Permission): Statement {
  const { Action = "", Principal = "", SourceAccount, SourceArn } = properties;
  return {
    Effect: "Allow",
    Action,
    Resource: on,
    Principal: Principal.endsWith(".amazonaws.com") ? { Service: Principal } : { AWS: Principal },
    Condition: {
      ...(SourceAccount && { StringEquals: { "aws:SourceAccount": SourceAccount } }),
      ...(SourceArn && { ArnLike: { "aws:SourceArn": SourceArn } }),
    },
  };
}

/** Whether the role's functions are in a VPC: Lambda then makes network interfaces for it. */
export const isInVpc = ({ statements }: Principal): boolean =>
  statements.some(({ Action }) => listOf(Action).includes("ec2:CreateNetworkInterface"));
