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

/** Claims that this program does not look at, and why. */
const unmade = (check: Omit<Check, "does" | "run">, why: string): Check => ({
  ...check,
  does: "nothing",
  run: () => skipped(why),
});

/** Everything that the documents call not verified. Add a line here when you add one there. */
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
    documents: "RDS's master may pass on pg_signal_backend",
    where: DEPLOYING,
    does: "looks whether the provisioner, which grants it, has finished",
    run: signalBackend,
  },
  {
    id: "alias-in-arn",
    documents: "context.invokedFunctionArn has the alias, and a call without one is refused",
    where: ALIAS,
    does: "asks for a lease through the alias; asks the function itself",
    run: aliasInArn,
  },
  {
    id: "alias-policy",
    documents: "a resource policy on an alias may deny by aws:PrincipalArn, and stands",
    where: ALIAS,
    does: "reads the alias's policy by GetResourcePolicy and by GetPolicy",
    run: aliasPolicy,
  },
  {
    id: "alias-denies-others",
    documents: "the alias denies whoever is not the consumer's role, whatever their policies allow",
    where: DEPLOYING,
    does: "calls the function, then the alias, with keys that are not the consumer's",
    run: aliasDeniesOthers,
  },
  {
    id: "lambda-session",
    documents: "aws:PrincipalArn is the role's in a session that Lambda gives a function too",
    where: DEPLOYING,
    does: "invokes the sandbox's function of the consumer, which asks for a lease",
    run: lambdaSession,
  },
  unmade(
    {
      id: "other-sessions",
      documents: "aws:PrincipalArn is the role's in sessions of EKS, ECS, EC2 and web identities",
      where: DEPLOYING,
    },
    "it takes a workload of each kind; ask for a lease from yours",
  ),
  unmade(
    {
      id: "alias-limit",
      documents: "the number of aliases a function may have is not in the documents",
      where: ALIAS,
    },
    "it would take hundreds of aliases",
  ),
  {
    id: "endpoints",
    documents: "Scheduler's interface endpoint is com.amazonaws.<region>.scheduler",
    where: DEPLOYING,
    does: "looks whether the endpoints were made, and a schedule through one",
    run: endpoints,
  },
  {
    id: "lambda-endpoint",
    documents: "a function of the VPC reaches the Lambda API by its interface endpoint",
    where: DEPLOYING,
    does: "invokes a function in the VPC that asks for a lease",
    run: lambdaEndpoint,
  },
  {
    id: "schedule-role",
    documents: "Scheduler assumes the schedules' role with the group's ARN as aws:SourceArn",
    where: DEPLOYING,
    does: "looks whether a lease's schedule was accepted",
    run: scheduleRole,
  },
  {
    id: "shortest-lease",
    documents: "a lease of ten seconds gets its schedule in time",
    where: DEPLOYING,
    does: "asks for one",
    run: shortestLease,
  },
  {
    id: "schedule-past",
    documents: "Scheduler refuses a time that has passed, with a ValidationException",
    where: DEPLOYING,
    does: "creates a schedule of a minute ago in the lease's group",
    run: schedulePast,
  },
  {
    id: "revocation-lag",
    documents:
      "a lease is gone 60 seconds and one call after its expiry at the latest: Lambda reads a quiet queue at once",
    where: "docs/revocation.md#three-clocks",
    does: "reads the receipt of the lease of ten seconds",
    run: revocationLag,
  },
  {
    id: "queue-policy",
    documents: "aws:PrincipalArn in the queue's policy is the schedules' role when Scheduler sends",
    where: DEPLOYING,
    does: "looks whether the schedule's message, and not the sweep, ended the lease",
    run: queuePolicy,
  },
  {
    id: "schedule-deleted",
    documents: "a schedule is gone after it has fired",
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
      documents: "what Scheduler cannot deliver lies in the queue of dead letters",
      where: "docs/operating.md#queues",
    },
    "a delivery would have to fail: the queue that schedules fill would have to go",
  ),
  {
    id: "admin-rows",
    documents:
      "on PostgreSQL 16 and later, who creates a lease administers it, and rds_superuser may pass on pg_signal_backend",
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
    documents: "Secrets Manager runs the four steps, and takes AWSPENDING away after the last",
    where: "docs/rotation.md#the-four-steps",
    does: "reads the labels and the last rotation of each secret of the stack",
    run: rotationsRun,
  },
  {
    id: "rotation-source-arn",
    documents: "Secrets Manager calls a rotation function with the secret as aws:SourceArn",
    where: ROTATION,
    does: "lets it call for this secret alone, and rotates",
    last: true,
    run: sourceArn,
  },
  {
    id: "master-password",
    documents: "RDS applies a new master password in less than the function's five minutes",
    where: ROTATION,
    does: "rotates the administrator's secret",
    last: true,
    run: masterPassword,
  },
  unmade(
    {
      id: "rotation-leftovers",
      documents:
        "how long Secrets Manager keeps versions without a label, when it retries a rotation that failed, that rotate-secret goes on with a pending version, and that a deleted schedule switches rotation off",
      where: ROTATION,
    },
    "it takes days, or rotations that fail on purpose",
  ),
  {
    id: "request-id",
    documents: "function_request_id in an audit line is the request id that the caller is given",
    where: "docs/audit.md#the-join-with-cloudtrail",
    does: "compares the line lease.issued with the answer's header",
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
    documents: "the saved queries run as they are meant to",
    where: "docs/audit.md#saved-queries",
    does: "runs each over the last minutes",
    run: savedQueries,
  },
  {
    id: "cold-start",
    documents: "a cold start of the issuer takes 0.6 to 1.0 seconds",
    where: DEPLOYING,
    does: "reads Lambda's report of the issuer's first call",
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
    does: "deploys a changed configuration, and calls the alias again",
    last: true,
    run: updateKeepsPolicy,
  },
  unmade(
    {
      id: "audit-events",
      documents: "audit lines are sent on to an event bus",
      where: "docs/audit.md#as-events",
    },
    "the sandbox has no event bus; put auditEvents into a configuration of yours",
  ),
  unmade(
    {
      id: "alarms",
      documents: "each alarm rings, and the dashboard's tables have rows",
      where: DEPLOYING,
    },
    "most alarms need a fault to ring, and a dashboard a reader",
  ),
  unmade(
    {
      id: "demo",
      documents: "the demo runs in the sandbox, through a tunnel",
      where: "docs/deploying.md#into-the-sandbox",
    },
    "it takes an instance in the VPC; the page has the commands",
  ),
  unmade(
    {
      id: "restores",
      documents: "what RDS and Aurora do with resource ids and timelines in a restore",
      where: DEPLOYING,
    },
    "it takes a snapshot and a second server; docs/disaster-recovery.md has the drill",
  ),
  unmade(
    {
      id: "aurora-readers",
      documents: "Aurora's readers behave as a standby of PostgreSQL does",
      where: DEPLOYING,
    },
    "the sandbox has no reader; it takes an Aurora cluster",
  ),
  unmade(
    {
      id: "prices",
      documents: "the prices in the cost table are those of the bill",
      where: DEPLOYING,
    },
    "the bill comes a day later; compare it with npm run synth",
  ),
];
