import { skipped } from "../outcome.ts";
import { aliasDeniesOthers, aliasInArn, aliasPolicy, lambdaSession } from "./alias-checks.ts";
import type { Check } from "./check.ts";
import { adminRows, passwordCommands } from "./database-checks.ts";
import { cloudTrail, coldStart, requestId, savedQueries } from "./log-checks.ts";
import { endpoints, lambdaEndpoint } from "./network-checks.ts";
import { masterPassword, rotationsRun, sourceArn } from "./rotation-checks.ts";
import {
  queuePolicy,
  revocationLag,
  scheduleDeleted,
  schedulePast,
  scheduleRole,
  shortestLease,
  sweepRuns,
} from "./scheduler-checks.ts";
import { converge, signalBackend, stackDeploys, updateKeepsPolicy } from "./stack-checks.ts";

const DEPLOYING = "docs/deploying.md#not-yet-verified";
const ROTATION = "docs/rotation.md#not-verified";
const ALIAS = "docs/adr/0005-alias-as-grant.md";

/** A claim that this program does not check, and why. */
const unmade = (check: Omit<Check, "does" | "run">, why: string): Check => ({
  ...check,
  does: "nothing",
  run: () => skipped(why),
});

/** Every claim that the documents call not verified. If you add one there, add it here. */
export const CHECKS: readonly Check[] = [
  {
    id: "stack-deploys",
    documents:
      "the stack deploys: names, quotas, dependencies, and AWS::Lambda::ResourcePolicy on an alias",
    where: DEPLOYING,
    does: "reads the status of the stack and of each resource",
    run: stackDeploys,
  },
  {
    id: "pg-signal-backend",
    documents: "RDS's master user may grant pg_signal_backend",
    where: DEPLOYING,
    does: "checks that the provisioner, which grants it, finished",
    run: signalBackend,
  },
  {
    id: "alias-in-arn",
    documents:
      "context.invokedFunctionArn contains the alias, and the issuer refuses a call without an alias",
    where: ALIAS,
    does: "asks for a lease through the alias, then calls the function without an alias",
    run: aliasInArn,
  },
  {
    id: "alias-policy",
    documents: "an alias's resource policy may contain a Deny by aws:PrincipalArn, and keeps it",
    where: ALIAS,
    does: "reads the alias's policy with GetResourcePolicy and with GetPolicy",
    run: aliasPolicy,
  },
  {
    id: "alias-denies-others",
    documents:
      "the alias denies every principal but the consumer's role, whatever their policies allow",
    where: DEPLOYING,
    does: "calls the function, then the alias, with keys of another role",
    run: aliasDeniesOthers,
  },
  {
    id: "lambda-session",
    documents:
      "aws:PrincipalArn is the role's ARN also in the session that Lambda gives a function",
    where: DEPLOYING,
    does: "invokes the consumer's function in the sandbox, which asks for a lease",
    run: lambdaSession,
  },
  unmade(
    {
      id: "other-sessions",
      documents:
        "aws:PrincipalArn is the role's ARN in sessions of EKS, ECS, EC2 and web identities",
      where: DEPLOYING,
    },
    "this needs a workload of each kind; ask for a lease from yours",
  ),
  unmade(
    {
      id: "alias-limit",
      documents: "AWS does not document how many aliases a function may have",
      where: ALIAS,
    },
    "this needs hundreds of aliases",
  ),
  {
    id: "endpoints",
    documents: "Scheduler's interface endpoint is com.amazonaws.<region>.scheduler",
    where: DEPLOYING,
    does: "checks that the endpoints exist, and that the issuer created a schedule through one",
    run: endpoints,
  },
  {
    id: "lambda-endpoint",
    documents: "a function in the VPC reaches the Lambda API through its interface endpoint",
    where: DEPLOYING,
    does: "invokes a function in the VPC that asks for a lease",
    run: lambdaEndpoint,
  },
  {
    id: "schedule-role",
    documents: "Scheduler assumes the schedules' role with the group's ARN as aws:SourceArn",
    where: DEPLOYING,
    does: "checks that Scheduler accepted a lease's schedule",
    run: scheduleRole,
  },
  {
    id: "shortest-lease",
    documents: "the schedule of a lease of ten seconds is created in time",
    where: DEPLOYING,
    does: "asks for a lease of ten seconds",
    run: shortestLease,
  },
  {
    id: "schedule-past",
    documents: "Scheduler refuses a time in the past with a ValidationException",
    where: DEPLOYING,
    does: "tries to create a schedule for a minute ago in the lease's group",
    run: schedulePast,
  },
  {
    id: "revocation-lag",
    documents:
      "a lease's role is dropped at most 60 seconds and one call after its expiry: Lambda reads an idle queue at once",
    where: "docs/revocation.md#three-clocks",
    does: "reads the receipt of the lease of ten seconds",
    run: revocationLag,
  },
  {
    id: "queue-policy",
    documents: "aws:PrincipalArn in the queue's policy is the schedules' role if Scheduler sends",
    where: DEPLOYING,
    does: "checks that the schedule's message, not the sweep, ended the lease",
    run: queuePolicy,
  },
  {
    id: "schedule-deleted",
    documents: "Scheduler deletes a schedule after it fired",
    where: "docs/revocation.md#from-the-schedule-to-the-revoker",
    does: "lists the lease's schedules after its end",
    run: scheduleDeleted,
  },
  {
    id: "sweep-runs",
    documents: "Scheduler invokes the sweeper every five minutes",
    where: "docs/revocation.md#three-clocks",
    does: "looks for a finished sweep in the sweeper's log",
    run: sweepRuns,
  },
  unmade(
    {
      id: "dead-letters",
      documents: "Scheduler sends what it cannot deliver to the dead-letter queue",
      where: "docs/operating.md#queues",
    },
    "a delivery must fail for this, so the schedules' queue would have to be deleted",
  ),
  {
    id: "admin-rows",
    documents:
      "on PostgreSQL 16 and later, the creator of a lease has ADMIN on it, and rds_superuser may grant pg_signal_backend",
    where: DEPLOYING,
    does: "logs in as a lease and reads pg_auth_members",
    run: adminRows,
  },
  {
    id: "password-commands",
    documents: "with rds.restrict_password_commands, issuer roles would need rds_password",
    where: DEPLOYING,
    does: "logs in as a lease and reads the setting",
    run: passwordCommands,
  },
  {
    id: "rotations-run",
    documents: "Secrets Manager runs the four steps, and removes AWSPENDING after the last",
    where: "docs/rotation.md#the-four-steps",
    does: "reads the labels and the last rotation of each secret of the stack",
    run: rotationsRun,
  },
  {
    id: "rotation-source-arn",
    documents: "Secrets Manager calls a rotation function with the secret's ARN as aws:SourceArn",
    where: ROTATION,
    does: "allows it to call for this secret only, and rotates the secret",
    last: true,
    run: sourceArn,
  },
  {
    id: "master-password",
    documents: "RDS applies a new master password within the function's five minutes",
    where: ROTATION,
    does: "rotates the administrator's secret",
    last: true,
    run: masterPassword,
  },
  unmade(
    {
      id: "rotation-leftovers",
      documents:
        "how long Secrets Manager keeps versions without a label; when it retries a failed rotation; that rotate-secret continues with a pending version; that deleting a schedule turns rotation off",
      where: ROTATION,
    },
    "this takes days, or needs rotations that fail on purpose",
  ),
  {
    id: "request-id",
    documents: "function_request_id in an audit line is the request id in the caller's response",
    where: "docs/audit.md#the-join-with-cloudtrail",
    does: "compares the line lease.issued with the header of the response",
    run: requestId,
  },
  {
    id: "cloudtrail-join",
    documents: "function_request_id in an audit line is requestID in CloudTrail",
    where: "docs/audit.md#the-join-with-cloudtrail",
    does: "looks for the call in the log group of a trail (--trail-log-group)",
    run: cloudTrail,
  },
  {
    id: "saved-queries",
    documents: "the saved queries run and find their lines",
    where: "docs/audit.md#saved-queries",
    does: "runs each query over the last minutes",
    run: savedQueries,
  },
  {
    id: "cold-start",
    documents: "a cold start of the issuer takes 0.6 to 1.0 seconds",
    where: DEPLOYING,
    does: "reads Lambda's REPORT line of the issuer's first call",
    run: coldStart,
  },
  {
    id: "converge",
    documents: "converge waits for the provisioner's answer on an idle connection",
    where: DEPLOYING,
    does: "calls converge",
    last: true,
    run: converge,
  },
  {
    id: "update-keeps-policy",
    documents: "an alias keeps its resource policy when it moves to the issuer's next version",
    where: DEPLOYING,
    does: "deploys a changed configuration, then calls the alias again",
    last: true,
    run: updateKeepsPolicy,
  },
  unmade(
    {
      id: "audit-events",
      documents: "audit lines reach an event bus",
      where: "docs/audit.md#as-events",
    },
    "the sandbox has no event bus; set auditEvents in your configuration",
  ),
  unmade(
    {
      id: "alarms",
      documents: "each alarm goes off, and the dashboard's tables have rows",
      where: DEPLOYING,
    },
    "most alarms need a fault, and a dashboard needs a reader",
  ),
  unmade(
    {
      id: "demo",
      documents: "the demo runs in the sandbox, through a tunnel",
      where: "docs/deploying.md#into-the-sandbox",
    },
    "this needs an instance in the VPC; the page has the commands",
  ),
  unmade(
    {
      id: "restores",
      documents: "what a restore by RDS or Aurora does to resource ids and timelines",
      where: DEPLOYING,
    },
    "this needs a snapshot and a second server; docs/disaster-recovery.md has the drill",
  ),
  unmade(
    {
      id: "aurora-readers",
      documents: "Aurora's readers behave like a standby of PostgreSQL",
      where: DEPLOYING,
    },
    "the sandbox has no reader; this needs an Aurora cluster",
  ),
  unmade(
    {
      id: "prices",
      documents: "the prices in the cost table are those on the bill",
      where: DEPLOYING,
    },
    "the bill comes a day later; compare it with the output of npm run synth",
  ),
];
