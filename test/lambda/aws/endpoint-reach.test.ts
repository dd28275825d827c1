import { describe, expect, test } from "vitest";
import { examineAll } from "../../../core/doctor/examiner.ts";
import { endpointReach, judgeReach } from "../../../lambda/aws/endpoint-reach.ts";

const LAMBDA = {
  service: "lambda",
  action: "lambda:InvokeFunction",
  resource: "arn:aws:lambda:eu-west-1:111122223333:function:provisioner:converge",
};

const named = (name: string, more = {}): Error =>
  Object.assign(new Error("text"), { name, ...more });

describe("the reach of an endpoint", () => {
  test.each([
    [undefined, "ok", undefined],
    [named("TimeoutError"), "broken", "com.amazonaws.eu-west-1.lambda"],
    [named("Error", { code: "ENOTFOUND" }), "broken", "com.amazonaws.eu-west-1.lambda"],
    [named("Error", { code: "SELF_SIGNED_CERT_IN_CHAIN" }), "broken", "without a proxy"],
    [named("AccessDeniedException"), "broken", `allow lambda:InvokeFunction on ${LAMBDA.resource}`],
    [named("ResourceNotFoundException"), "broken", "deploy the stack again"],
    [named("ThrottlingException"), "unknown", undefined],
    ["odd", "unknown", undefined],
  ] as const)("%s is %s", (error, verdict, fix) => {
    const found = judgeReach(LAMBDA, "eu-west-1", error);
    expect(found.verdict).toBe(verdict);
    expect(found.fix === undefined).toBe(fix === undefined);
    expect(found.fix?.kind === "step" ? found.fix.text : "").toContain(fix ?? "");
  });

  test("each service is called once, and the function is not run", async () => {
    const sent: unknown[] = [];
    const client = (error?: Error) => ({
      send: async (command: { input: unknown }) => {
        sent.push(command.input);
        if (error !== undefined) throw error;
      },
    });
    const findings = await examineAll([
      endpointReach({
        region: "eu-west-1",
        secrets: client(),
        scheduler: client(named("TimeoutError")),
        lambda: client(),
        secretArn: "arn:secret",
        scheduleGroup: "mayfly",
        convergeArn: LAMBDA.resource,
      } as unknown as Parameters<typeof endpointReach>[0]),
    ]);
    expect(findings.map(({ subject, verdict }) => `${subject} ${verdict}`)).toEqual([
      "secretsmanager ok",
      "scheduler broken",
      "lambda ok",
    ]);
    expect(sent).toEqual([
      { SecretId: "arn:secret" },
      { GroupName: "mayfly", MaxResults: 1 },
      { FunctionName: LAMBDA.resource, InvocationType: "DryRun" },
    ]);
  });
});
