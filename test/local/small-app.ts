import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { App, CfnOutput, CustomResource, Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import { SqsDestination } from "aws-cdk-lib/aws-lambda-destinations";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import * as scheduler from "aws-cdk-lib/aws-scheduler";
import { LambdaInvoke } from "aws-cdk-lib/aws-scheduler-targets";
import * as secrets from "aws-cdk-lib/aws-secretsmanager";
import * as sqs from "aws-cdk-lib/aws-sqs";
import { Provider } from "aws-cdk-lib/custom-resources";
import { tempFolder } from "../../local/temp-folder.ts";

/** What the handler does with `event.do`; other events are echoed with what the context says. */
const HANDLER = `
let invocations = 0;
export const handler = async (event, context) => {
  invocations++;
  console.log("event", JSON.stringify(event));
  if (process.env.FAIL) throw new Error("told to fail");
  if (event.RequestType) return { PhysicalResourceId: "made", Data: { Properties: JSON.stringify(event.ResourceProperties) } };
  if (event.do === "throw") throw Object.assign(new RangeError("no good"), { where: "a query", code: "XX1" });
  if (event.do === "circle") { const error = new Error("round"); error.self = error; throw error; }
  if (event.do === "exit") process.exit(3);
  if (event.do === "hang") await new Promise((resolve) => setTimeout(resolve, 60_000));
  if (event.do === "reject") { Promise.reject(new Error("left behind")); await new Promise((resolve) => setTimeout(resolve, 60_000)); }
  if (event.do === "wait") await new Promise((resolve) => setTimeout(resolve, event.milliseconds));
  return { event, invocations, pid: process.pid, arn: context.invokedFunctionArn, requestId: context.awsRequestId, env: process.env };
};
export const callback = (event, context, done) => done(null, "old");
`;

/** A stack with one of everything that the runner serves but a database. */
function build(stack: Stack, code: string): void {
  const failures = new sqs.Queue(stack, "Failures", { enforceSSL: true });
  const functionOf = (id: string, props: Partial<lambda.FunctionProps> = {}): lambda.Function => {
    const role = new iam.Role(stack, `${id}Role`, {
      assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
    });
    return new lambda.Function(stack, id, {
      runtime: lambda.Runtime.NODEJS_24_X,
      handler: "index.handler",
      code: lambda.Code.fromAsset(code),
      role,
      logGroup: new LogGroup(stack, `${id}Logs`),
      ...props,
    });
  };
  const echo = functionOf("Echo", { timeout: Duration.seconds(20) });
  echo.configureAsyncInvoke({
    retryAttempts: 1,
    maxEventAge: Duration.minutes(1),
    onFailure: new SqsDestination(failures),
  });
  const limited = functionOf("Limited", {
    timeout: Duration.seconds(1),
    reservedConcurrentExecutions: 1,
  });
  functionOf("OldStyle", { handler: "index.callback" });
  functionOf("Broken", { handler: "nowhere.handler" });

  const consumers = ["Alice", "Bob"].map((name) => {
    const role = new iam.Role(stack, name, { assumedBy: new iam.AccountRootPrincipal() });
    const alias = new lambda.Alias(stack, `${name}Alias`, {
      aliasName: name.toLowerCase(),
      version: echo.currentVersion,
      retryAttempts: 0,
    });
    alias.grantInvoke(role);
    new lambda.CfnResourcePolicy(stack, `${name}Policy`, {
      resourceArn: alias.functionArn,
      policyDocument: {
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Deny",
            Principal: "*",
            Action: "lambda:InvokeFunction",
            Resource: alias.functionArn,
            Condition: { StringNotEquals: { "aws:PrincipalArn": role.roleArn } },
          },
        ],
      },
    });
    new CfnOutput(stack, `${name}AliasArn`, { value: alias.functionArn });
    return role;
  });

  const group = new scheduler.ScheduleGroup(stack, "Group", {
    scheduleGroupName: "small-group",
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const schedulerRole = (id: string, sourceArn: string): iam.Role =>
    new iam.Role(stack, id, {
      assumedBy: new iam.ServicePrincipal("scheduler.amazonaws.com", {
        conditions: {
          StringEquals: { "aws:SourceAccount": stack.account, "aws:SourceArn": sourceArn },
        },
      }),
    });
  const targetRole = schedulerRole("TargetRole", group.scheduleGroupArn);
  echo.grantInvoke(targetRole);
  failures.grantSendMessages(targetRole);
  schedulerRole("OtherGroupsRole", "arn:aws:scheduler:eu-west-1:123456789012:schedule-group/other");
  new scheduler.Schedule(stack, "EveryMinute", {
    schedule: scheduler.ScheduleExpression.rate(Duration.minutes(1)),
    target: new LambdaInvoke(limited, { retryAttempts: 0 }),
  });
  consumers[0]?.addToPolicy(
    new iam.PolicyStatement({
      actions: ["scheduler:CreateSchedule"],
      resources: [`arn:aws:scheduler:eu-west-1:123456789012:schedule/small-group/*`],
    }),
  );

  const secret = new secrets.Secret(stack, "Secret", {
    generateSecretString: {
      secretStringTemplate: "{}",
      generateStringKey: "pepper",
      passwordLength: 64,
      excludePunctuation: true,
    },
  });
  const provider = new Provider(stack, "Provider", { onEventHandler: echo });
  const custom = new CustomResource(stack, "Custom", {
    serviceToken: provider.serviceToken,
    resourceType: "Custom::Small",
    properties: { Number: 1, Yes: true, List: [2] },
  });
  const outputs = {
    EchoArn: echo.functionArn,
    LimitedName: limited.functionName,
    SecretArn: secret.secretArn,
    TargetRoleArn: targetRole.roleArn,
    FailuresArn: failures.queueArn,
    Custom: custom.getAttString("Properties"),
    CustomRef: custom.ref,
  };
  for (const [id, value] of Object.entries(outputs))
    new CfnOutput(stack, `${id}Output`, { value }).overrideLogicalId(id);
}

/** A synthesized assembly in a folder of its own. */
export interface SynthesizedApp {
  readonly assembly: string;
  remove(): void;
}

/** Synthesize a stack named `Small` into a temp folder, with the handler above as its code. */
export function synthesize(fill: (stack: Stack, code: string) => void = build): SynthesizedApp {
  const { path: folder, remove } = tempFolder("test");
  const code = join(folder, "code");
  mkdirSync(code);
  writeFileSync(join(code, "index.mjs"), HANDLER);
  const assembly = join(folder, "cdk.out");
  const app = new App({ outdir: assembly, analyticsReporting: false });
  fill(new Stack(app, "Small"), code);
  app.synth();
  return { assembly, remove };
}
