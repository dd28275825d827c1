import { CfnOutput, type Stack } from "aws-cdk-lib";
import { AccountRootPrincipal, Role } from "aws-cdk-lib/aws-iam";
import { afterAll, describe, expect, test } from "vitest";
import { narrator } from "../../demo/narrator.ts";
import { tellStory } from "../../demo/story.ts";
import { startRunner } from "../../local/runner.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import { synthesize } from "../local/small-app.ts";
import { demo, nothingLeft } from "../support/demo.ts";
import { eventually } from "../support/eventually.ts";

const home = tempFolder("demo-home");
afterAll(home.remove);

/** The outputs of the shipped stack, and a user-service that may call nothing. */
function otherStack(stack: Stack): void {
  const roleArn = (name: string): string =>
    new Role(stack, name, { assumedBy: new AccountRootPrincipal() }).roleArn;
  const functionArn = (name: string): string =>
    `arn:aws:lambda:${stack.region}:${stack.account}:function:${name}`;
  const outputs = {
    OrdersIssuerArn: functionArn("issuer"),
    OrdersOperatorArn: functionArn("operator"),
    OrdersRevokerLogGroup: "revoker",
    UserServiceRoleArn: roleArn("UserService"),
    ReportingRoleArn: roleArn("Reporting"),
  };
  for (const [id, value] of Object.entries(outputs))
    new CfnOutput(stack, `${id}Output`, { value }).overrideLogicalId(id);
}

describe("the demo", () => {
  test("ended by SIGTERM stops all it started", async () => {
    const { child, output, ended } = demo();
    await eventually(() => output().includes("  renew "), { within: 200_000 });
    child.kill("SIGTERM");
    expect((await ended).status).toBe(130);
    await nothingLeft();
  });

  test("Ctrl-C during the start is no failure", async () => {
    const { child, output, ended } = demo();
    await eventually(() => output().includes("starting PostgreSQL"), { within: 200_000 });
    process.kill(-Number(child.pid), "SIGINT");
    expect((await ended).status).toBe(130);
    expect(output()).toMatch(/stopped\n$/);
    expect(output()).not.toMatch(/failed|Mayfly/);
    await nothingLeft();
  });

  test("needs the shipped configuration's roles, and says so", async () => {
    const app = synthesize(otherStack);
    const runner = await startRunner({ assembly: app.assembly });
    const { endpoint, region, stackName } = runner;
    const clients = { endpoint, region, credentials: runner.credentialsFor("administrator") };
    const silent = { write: () => true, isTTY: false };
    await expect(
      tellStory(
        { clients, stackName, ca: "", precision: 0 },
        narrator({ out: silent, err: silent }),
      ),
    ).rejects.toThrow(
      "user-service may not call user-service--readonly: AccessDeniedException; the demo needs the stack of the shipped mayfly.config.ts",
    );
    await runner.stop();
    app.remove();
  });

  test.each<[string, Record<string, string>, number, string]>([
    ["a Region", {}, 64, "no Region: set AWS_REGION"],
    [
      "a Region with databases",
      { AWS_REGION: "eu-nowhere-9" },
      1,
      "Region eu-nowhere-9 has no RDS roots: there is no ",
    ],
    [
      "credentials",
      { AWS_REGION: "eu-west-1" },
      64,
      "Could not load credentials from any providers; set AWS_PROFILE or keys",
    ],
  ])("in an account needs %s", async (_, env, status, words) => {
    const { PATH } = process.env;
    const bare = { PATH, HOME: home.path, AWS_EC2_METADATA_DISABLED: "true", ...env };
    const { ended, output } = demo(["--stack", "Mayfly"], bare);
    expect((await ended).status).toBe(status);
    expect(output()).toContain(`the demo failed: ${words}`);
  });

  test("refuses arguments it does not know, and says what it knows", async () => {
    const { ended, output } = demo(["--fast"]);
    expect((await ended).status).toBe(64);
    expect(output()).toContain("Unknown option '--fast'");
    expect(output()).toContain("usage: npm run demo");
  });
});
