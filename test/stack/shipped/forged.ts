import { InvokeCommand } from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Clients } from "../../local/clients.ts";
import { type ShippedStack, sharedShipped } from "../../support/stack.ts";

const TARGETS = ["issuer", "revoker", "operator", "sweeper", "deployment", "converge"] as const;
type Target = (typeof TARGETS)[number];

let stack: ShippedStack;
let live: { readonly leaseId: string; readonly username: string };
let before: unknown;
/** Who may invoke each target, and its ARN. */
let reach: Readonly<Record<Target, { readonly who: Clients; readonly arn: string }>>;

/** Roles with their passwords, memberships, records and privileges. */
const everything = (): Promise<unknown> =>
  stack.superuser(`select to_jsonb(a) - 'oid' as role, shobj_description(a.oid, 'pg_authid'),
      array(select roleid::regrole::text from pg_auth_members where member = a.oid order by 1),
      (select relacl::text from pg_class where oid = 'public.orders'::regclass)
    from pg_authid a order by rolname`);

interface Refused {
  readonly errorType?: string;
  readonly errorMessage?: string;
}

async function send(
  { who, arn }: (typeof reach)[Target],
  event: unknown,
  clientContext?: object,
): Promise<{ readonly answer: Refused; readonly audited: readonly string[] }> {
  const from = stack.runner.logs().length;
  const { Payload, $metadata } = await who.lambda.send(
    new InvokeCommand({
      FunctionName: arn,
      Payload: JSON.stringify(event),
      ...(clientContext && {
        ClientContext: Buffer.from(JSON.stringify(clientContext)).toString("base64"),
      }),
    }),
  );
  const audited = stack.runner
    .logs()
    .slice(from)
    .flatMap(({ line }) => {
      if (!line.includes('"request.refused"')) return [];
      const { errorType, function_request_id: id } = JSON.parse(line) as Record<string, string>;
      return id === $metadata.requestId ? [String(errorType)] : [];
    });
  return { answer: JSON.parse(Payload?.transformToString() ?? "null") as Refused, audited };
}

/** Everything that somebody else than the true sender may write into an event. */
const FORGED: readonly (readonly [string, () => object])[] = [
  ["nothing", () => ({})],
  [
    "a function URL's event",
    () => ({
      version: "2.0",
      rawPath: "/",
      requestContext: { authorizer: { iam: { userArn: "arn:aws:iam::123456789012:role/admin" } } },
      body: JSON.stringify({ action: "issue" }),
    }),
  ],
  ...(["Create", "Update", "Delete"] as const).map(
    (RequestType) =>
      [
        `CloudFormation's ${RequestType} without a plan`,
        () => ({ RequestType, StackId: "arn:aws:cloudformation:eu-west-1:1:stack/x/y" }),
      ] as const,
  ),
  [
    "CDK's whole Delete",
    () => ({
      RequestType: "Delete",
      RequestId: "r",
      ResponseURL: "...",
      StackId: "arn:aws:cloudformation:eu-west-1:123456789012:stack/Mayfly/forged",
      LogicalResourceId: "ordersProvisioning",
      ResourceType: "Custom::MayflyProvision",
      ResourceProperties: { Plan: "{}" },
    }),
  ],
  [
    "a queue's message for the operator",
    () => ({
      Records: [
        {
          messageId: "m",
          eventSource: "aws:sqs",
          body: JSON.stringify({ action: "revoke", everything: true }),
        },
      ],
    }),
  ],
  [
    "EventBridge's event",
    () => ({
      version: "0",
      id: "e",
      source: "aws.events",
      "detail-type": "Scheduled Event",
      detail: { action: "converge", leaseId: live.leaseId },
    }),
  ],
  ["Secrets Manager's step", () => ({ Step: "setSecret", SecretId: "s", ClientRequestToken: "t" })],
  ["an alias to act as", () => ({ action: "issue", alias: "reporting--readonly" })],
  [
    "a consumer to act as",
    () => ({ action: "list", consumer: "reporting", role: "r", as: "root" }),
  ],
  [
    "a function to have been invoked as",
    () => ({ action: "sweep", invokedFunctionArn: "issuer:x" }),
  ],
  ["a plan", () => ({ action: "converge", Plan: "{}" })],
];

/** Whom an event is not forged for. */
const GENUINE: Readonly<Partial<Record<Target, RegExp>>> = {
  // it reads the message, and refuses that
  revoker: /^a queue's message/,
};

describe("forged input", () => {
  beforeAll(async () => {
    stack = await sharedShipped();
    await stack.runner.rotations.finished();
    const { administrator, userService, issuerArn, operatorArn } = stack;
    const arn = (name: string): string => operatorArn.replace(/operator$/, name);
    reach = {
      issuer: { who: userService, arn: `${issuerArn}:user-service--readonly` },
      revoker: { who: administrator, arn: arn("revoker") },
      operator: { who: administrator, arn: operatorArn },
      sweeper: { who: administrator, arn: arn("sweeper") },
      deployment: {
        who: stack.as("ordersProvisioningFrameworkRole"),
        arn: arn("provisioner"),
      },
      converge: {
        who: stack.as("ordersFunctionsOperatorRole"),
        arn: arn("provisioner:converge"),
      },
    };
    live = await stack.issue();
    before = await everything();
  });
  afterAll(() => stack.operate({ action: "revoke", everything: true }));

  describe.each(TARGETS)("a forged event is refused, audited and without effect: %s", (target) => {
    const forged = FORGED.filter(([what]) => !GENUINE[target]?.test(what));

    test.each(forged)("%s", async (what, event) => {
      const { answer, audited } = await send(reach[target], event());
      const isPlan = target === "deployment" && what === "CDK's whole Delete";
      const errorType = isPlan ? "ConfigError" : "InvalidRequestError";
      expect(answer).toMatchObject({ errorType });
      expect(audited).toEqual([errorType]);
    });

    test("a client context that names a consumer", async () => {
      const custom = { consumer: "reporting", invokedFunctionArn: "issuer:reporting--readonly" };
      for (const context of [custom, { custom }, { Custom: custom }]) {
        const { answer, audited } = await send(reach[target], { action: "issue" }, context);
        expect(answer).toMatchObject({
          errorType: "InvalidRequestError",
          errorMessage: expect.stringContaining('"consumer", "invokedFunctionArn"'),
        });
        expect(audited).toEqual(["InvalidRequestError"]);
      }
    });
  });

  test("the provisioner's alias does no Create, Update or Delete, and its ARN no converge", async () => {
    const { converge, deployment } = reach;
    const refused = { audited: ["InvalidRequestError"] };
    expect(await send(deployment, { action: "converge" })).toMatchObject(refused);
    for (const RequestType of ["Create", "Update", "Delete"])
      expect(await send(converge, { RequestType, action: "converge" })).toMatchObject(refused);
  });

  test.each([":$LATEST", ":1"])(
    "the provisioner does nothing for an administrator who invokes it as function%s",
    async (suffix) => {
      const target = { who: stack.administrator, arn: `${reach.deployment.arn}${suffix}` };
      for (const event of [{ action: "converge" }, { RequestType: "Delete" }])
        expect(await send(target, event)).toMatchObject({
          answer: { errorType: "NotAllowedError" },
          audited: ["NotAllowedError"],
        });
    },
  );

  test("nobody but the framework and the operator function reaches the provisioner", async () => {
    const { converge, deployment } = reach;
    for (const [who, arn] of [
      [stack.administrator, deployment.arn],
      [stack.administrator, converge.arn],
      [converge.who, deployment.arn],
      [deployment.who, converge.arn],
    ] as const)
      await expect(send({ who, arn }, { RequestType: "Delete" })).rejects.toMatchObject({
        name: "AccessDeniedException",
      });
  });

  test("a queue's message that is no schedule's is refused, and never delivered again", async () => {
    const [, event] = FORGED.find(([what]) => GENUINE.revoker?.test(what)) ?? [];
    expect(await send(reach.revoker, event?.())).toEqual({
      answer: { batchItemFailures: [] },
      audited: ["InvalidRequestError"],
    });
  });

  test("a client context for tracing changes nothing: the alias decides who asks", async () => {
    const lookup = { action: "lookup", leaseId: live.leaseId };
    const context = { custom: { traceparent: "00-1-2-01" } };
    expect(await send(reach.issuer, lookup, context)).toMatchObject({
      answer: { state: "live" },
      audited: [],
    });
  });

  test("after all of that, nothing in the database has changed", async () => {
    expect(await everything()).toEqual(before);
  });
});
