import { renameSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { assume } from "../aws/assume.ts";
import { PATIENT } from "../aws/clients.ts";
import { Exit, Failure } from "../terminal/exit.ts";
import type { Io } from "../terminal/io.ts";
import { awsAccount, systemTime } from "../verify/aws-account.ts";
import { cdkDeployer, newStackName, projectAt } from "../verify/cdk-deployer.ts";
import { CHECKS } from "../verify/checks/checks.ts";
import { listenForInterruption } from "../verify/interruption.ts";
import { readOutputs } from "./find.ts";
import { runVerify, type VerifyDeps, type VerifyOptions } from "./verify-run.ts";

/** `mayfly verify`: check in an AWS account what the documents call not verified. */
export function addVerify(program: Command, io: Io): void {
  program
    .command("verify")
    .description("check in an AWS account what the documents call not verified")
    .option("--stack <name>", "a deployed stack (default: deploy a sandbox, and destroy it)")
    .option("--database <name>", "with --stack: the database, when the stack has several")
    .option("--consumer <name>", "with --stack: the consumer whose leases are made")
    .option("--role <name>", "with --stack: the dynamic role of the leases")
    .option("--trail-log-group <name>", "the log group of a CloudTrail trail with data events")
    .option("--report <file>", "the file to write the report to", "mayfly-verify.md")
    .option("--yes", "do not ask before anything is made")
    .option("--json", "the answer as one JSON document")
    .action((options: VerifyOptions) => runVerify(io, options, systemDeps));
}

const systemDeps: VerifyDeps = {
  checks: CHECKS,
  get isAws() {
    return !Object.keys(process.env).some((name) => name.startsWith("AWS_ENDPOINT_URL"));
  },
  whereAmI: async () => {
    const { GetCallerIdentityCommand, STSClient } = await import("@aws-sdk/client-sts");
    const client = new STSClient(PATIENT);
    const { Account = "" } = await client.send(new GetCallerIdentityCommand({}));
    return { account: Account, region: await client.config.region() };
  },
  outputsOf: (stack, database) =>
    readOutputs({ stack, ...(database !== undefined && { database }) }),
  makeAccount: async (roleArn, time) => {
    const { LambdaClient } = await import("../aws/lambda-sdk.ts");
    const caller = new LambdaClient(PATIENT);
    const consumer =
      roleArn === undefined ? caller : await assume(PATIENT, roleArn, "mayfly-verify");
    return awsAccount({ clients: PATIENT, caller, consumer, isAws: systemDeps.isAws, time });
  },
  makeDeployer: (onOutput) => {
    const project = projectAt(process.cwd());
    if (project === undefined)
      throw new Failure(
        Exit.config,
        `no cdk is installed in ${process.cwd()} or above it; run this in a project with aws-cdk and aws-cdk-lib (npx mayfly init writes one), or name a deployed stack with --stack`,
      );
    return cdkDeployer(project, { stackName: newStackName(), onOutput });
  },
  makeTime: systemTime,
  listen: listenForInterruption,
  writeReport: (path, text) => {
    const target = resolve(path);
    const part = `${target}.${process.pid}`;
    writeFileSync(part, text, { mode: 0o600 });
    renameSync(part, target);
  },
};
