import { ACCOUNT, Resolved } from "../resolved.ts";
import { only, type Resources, resourcesOf, shippedStack } from "../synthesized.ts";
import type { Privileges, Table } from "./matrix.ts";
import { type Principal, type World, worldOf } from "./world.ts";

const INTERFACE = ["a network interface"];
const ACCOUNT_WIDE = ["the account"];

/** What every function's role may: write its own log; in a VPC, Lambda connects it. */
const ownLog = (name: string): Privileges => ({
  "logs:CreateLogStream": [`${name}Logs`],
  "logs:PutLogEvents": [`${name}Logs`],
});
export const inVpc: Privileges = {
  "ec2:AssignPrivateIpAddresses by Lambda": INTERFACE,
  "ec2:CreateNetworkInterface by Lambda": ["a subnet"],
  "ec2:DeleteNetworkInterface by Lambda": INTERFACE,
  "ec2:DescribeNetworkInterfaces by Lambda": ACCOUNT_WIDE,
  "ec2:DescribeSubnets by Lambda": ACCOUNT_WIDE,
  "ec2:UnassignPrivateIpAddresses by Lambda": INTERFACE,
};
export const functionInVpc = (name: string): Privileges => ({ ...ownLog(name), ...inVpc });

const LOGINS = ["ordersSecretsIssuer", "ordersSecretsJanitor"];
const ADMINISTRATOR_SECRET = "MayflyorderssandboxInstanceSecret";
const MADE_USERS = ["orderssecretreportsSecret", "orderssecretshopSecret"];
const OWN_SCHEDULE = ["a schedule of the group"];

/** What each function that ends leases may: read Mayfly's logins, and make schedules. */
const leases: Privileges = {
  "secretsmanager:GetSecretValue": LOGINS,
  "scheduler:CreateSchedule": OWN_SCHEDULE,
  "iam:PassRole to scheduler": ["ordersSchedulesRole"],
};
const comparesSchedules: Privileges = {
  "scheduler:GetSchedule": OWN_SCHEDULE,
  "scheduler:DeleteSchedule": OWN_SCHEDULE,
  "scheduler:ListSchedules": ACCOUNT_WIDE,
};
const rotates = (secret: string, reads: readonly string[] = []): Privileges => ({
  "secretsmanager:DescribeSecret": [secret, ...reads],
  "secretsmanager:GetSecretValue": [secret, ...reads],
  "secretsmanager:PutSecretValue": [secret],
  "secretsmanager:UpdateSecretVersionStage": [secret],
});
const invokes = (...names: string[]): Privileges => ({ "lambda:InvokeFunction": names });

/** What each role of the shipped stack may do. Everything else is denied. */
export const ROLES: Table = {
  ordersFunctionsIssuerRole: {
    ...functionInVpc("ordersFunctionsIssuer"),
    ...leases,
    "secretsmanager:GetSecretValue": [...LOGINS, "ordersSecretsPepper"],
  },
  ordersFunctionsRevokerRole: {
    ...functionInVpc("ordersFunctionsRevoker"),
    ...leases,
    "sqs:ReceiveMessage": ["ordersFunctionsRevocationsQueue"],
    "sqs:DeleteMessage": ["ordersFunctionsRevocationsQueue"],
    "sqs:GetQueueAttributes": ["ordersFunctionsRevocationsQueue"],
  },
  ordersFunctionsSweeperRole: {
    ...functionInVpc("ordersFunctionsSweeper"),
    ...leases,
    ...comparesSchedules,
    "secretsmanager:DescribeSecret": [ADMINISTRATOR_SECRET, ...LOGINS, ...MADE_USERS],
  },
  ordersFunctionsOperatorRole: {
    ...functionInVpc("ordersFunctionsOperator"),
    ...leases,
    ...comparesSchedules,
    ...invokes("alias converge"),
  },
  ordersProvisioningProvisionerRole: {
    ...functionInVpc("ordersProvisioningProvisioner"),
    "secretsmanager:GetSecretValue": [ADMINISTRATOR_SECRET, ...LOGINS, ...MADE_USERS],
    "secretsmanager:PutSecretValue": LOGINS,
    "scheduler:DeleteSchedule": OWN_SCHEDULE,
    "scheduler:DeleteScheduleGroup": ["ordersSchedulesGroup"],
  },
  ordersProvisioningFrameworkRole: {
    ...ownLog("ordersProvisioningFramework"),
    ...invokes("ordersProvisioningProvisioner"),
    "lambda:GetFunction": ["ordersProvisioningProvisioner"],
  },
  ordersSchedulesRole: {
    "sqs:SendMessage": ["ordersFunctionsRevocationsQueue", "ordersSchedulesDeadLetters"],
  },
  ordersFunctionsSweepRole: invokes("ordersFunctionsSweeper"),
  ordersLoginRotationRotatorRole: {
    ...functionInVpc("ordersLoginRotationRotator"),
    ...rotates("ordersSecretsIssuer"),
  },
  ordersJanitorRotationRotatorRole: {
    ...functionInVpc("ordersJanitorRotationRotator"),
    ...rotates("ordersSecretsJanitor"),
  },
  orderssecretreportsRotationRotatorRole: {
    ...functionInVpc("orderssecretreportsRotationRotator"),
    ...rotates("orderssecretreportsSecret"),
  },
  // its two users take turns, and the administrator sets up the next one
  orderssecretshopRotationRotatorRole: {
    ...functionInVpc("orderssecretshopRotationRotator"),
    ...rotates("orderssecretshopSecret", [ADMINISTRATOR_SECRET]),
  },
  orderssecretadminRotationRotatorRole: {
    ...functionInVpc("orderssecretadminRotationRotator"),
    ...rotates(ADMINISTRATOR_SECRET),
    "rds:DescribeDBInstances": ["orderssandboxInstance"],
    "rds:ModifyDBInstance": ["orderssandboxInstance"],
  },
  orderssandboxSeederRole: {
    ...functionInVpc("orderssandboxSeeder"),
    "secretsmanager:GetSecretValue": [ADMINISTRATOR_SECRET],
  },
  orderssandboxSeedFrameworkRole: {
    ...ownLog("orderssandboxSeedFramework"),
    ...invokes("orderssandboxSeeder"),
    "lambda:GetFunction": ["orderssandboxSeeder"],
  },
  consumeruserserviceFunctionRole: {
    ...functionInVpc("consumeruserserviceFunction"),
    ...invokes("alias user-service--readonly", "alias user-service--readwrite"),
  },
  consumerreporting: {
    ...invokes("alias reporting--readonly"),
    "secretsmanager:DescribeSecret": ["orderssecretreportsSecret"],
    "secretsmanager:GetSecretValue": ["orderssecretreportsSecret"],
  },
};

/** The roles that Lambda assumes for a function. */
const FUNCTION_ROLES = Object.keys(ROLES).filter((name) =>
  Object.hasOwn(ROLES[name] ?? {}, "logs:PutLogEvents"),
);
const ROTATORS = [
  "ordersLoginRotationRotator",
  "ordersJanitorRotationRotator",
  "orderssecretreportsRotationRotator",
  "orderssecretshopRotationRotator",
  "orderssecretadminRotationRotator",
];

/** What resource and trust policies let AWS's services do, by whom they do it for. */
export const SERVICES: Table = {
  Lambda: { "sts:AssumeRole": FUNCTION_ROLES },
  "Scheduler, for the database's group": { "sts:AssumeRole": ["ordersSchedulesRole"] },
  "Scheduler, for the default group": { "sts:AssumeRole": ["ordersFunctionsSweepRole"] },
  "Scheduler, for another account": {},
  "Secrets Manager, for a secret of the account": invokes(...ROTATORS),
  "Secrets Manager, for another account": {},
  EC2: {},
};

/** What an administrator with every permission may not do all the same. */
const SEALED = [
  "alias converge",
  "alias reporting--readonly",
  "alias user-service--readonly",
  "alias user-service--readwrite",
  "ordersProvisioningProvisioner",
  "orderssandboxSeeder",
];
export const SEALED_FOR_EVERYBODY: Privileges = {
  "lambda:InvokeAsync": SEALED,
  "lambda:InvokeFunction": SEALED,
  "lambda:InvokeFunctionUrl": SEALED,
  "sqs:SendMessage": ["ordersFunctionsRevocationsQueue"],
};
/** The roles that principals of the account may assume, if their own policies allow it. */
export const ASSUMABLE = ["consumerreporting", "consumeruserserviceFunctionRole"];

export const resources: Resources = resourcesOf(shippedStack());
export const world: World = worldOf(resources, new Resolved(resources));

const [group = ""] = new Resolved(resources).arns("AWS::Scheduler::ScheduleGroup");
const from = (arn: string, account = ACCOUNT): Record<string, string> => ({
  "aws:SourceAccount": account,
  "aws:SourceArn": arn,
});
const secretArn = new Resolved(resources).arnOf(
  only(resources, "AWS::SecretsManager::Secret", "secretreports")[0],
);
const elsewhere = (arn: string): string => arn.replace(ACCOUNT, "999999999999");
const service = (name: string, word: string, context = {}): Principal => ({
  name,
  arn: `${word}.amazonaws.com`,
  statements: [],
  context,
});

/** The services of {@link SERVICES}. */
export const services: readonly Principal[] = [
  service("Lambda", "lambda"),
  service("Scheduler, for the database's group", "scheduler", from(group)),
  service(
    "Scheduler, for the default group",
    "scheduler",
    from(group.replace(/[^/]*$/, "default")),
  ),
  service("Scheduler, for another account", "scheduler", from(elsewhere(group), "999999999999")),
  service("Secrets Manager, for a secret of the account", "secretsmanager", from(secretArn)),
  service(
    "Secrets Manager, for another account",
    "secretsmanager",
    from(elsewhere(secretArn), "999999999999"),
  ),
  service("EC2", "ec2"),
];

/** A role that its own policies allow some actions everywhere. */
export const allowed = (name: string, action: string, account = ACCOUNT): Principal => ({
  name,
  arn: `arn:aws:iam::${account}:role/${name}`,
  statements: [{ Effect: "Allow", Action: action, Resource: "*" }],
  context: {},
});
