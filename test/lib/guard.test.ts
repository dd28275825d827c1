import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { arch, platform } from "node:process";
import { describe, expect, test } from "vitest";
import { type Resource, type Resources, resourcesOf, shippedStack } from "./synthesized.ts";

const GUARD = join(
  dirname(createRequire(import.meta.url).resolve("@cdklabs/cdk-validator-cfnguard/package.json")),
  "bin",
  platform === "darwin" ? "macos" : "ubuntu",
  arch === "arm64" ? "aarch64" : "x86_64",
  "cfn-guard",
);

/** The package has no program for other systems, and its Linux program needs a recent C library. */
const runs =
  ["linux", "darwin"].includes(platform) &&
  existsSync(GUARD) &&
  spawnSync(GUARD, ["--version"]).status === 0;
if (!runs) console.warn(`examples/mayfly.guard was not run: no cfn-guard for ${platform} ${arch}`);

const rules = readFileSync(join(import.meta.dirname, "../../examples/mayfly.guard"), "utf8");
const shipped = resourcesOf(shippedStack());

/** The rules that a template breaks. */
function broken(resources: Resources): readonly string[] {
  const payload = JSON.stringify({
    rules: [rules],
    data: [JSON.stringify({ Resources: resources })],
  });
  const args = ["validate", "--payload", "--structured", "-o", "json", "--show-summary", "none"];
  const { stdout, stderr } = spawnSync(GUARD, args, { input: payload, encoding: "utf8" });
  if (!stdout.startsWith("[")) throw new Error(`cfn-guard: ${stdout}${stderr}`);
  const [report] = JSON.parse(stdout) as {
    not_compliant: { Rule: { name: string } }[];
  }[];
  return (report?.not_compliant ?? []).map(({ Rule }) => Rule.name);
}

/** The template with the first resource of a type changed, or without it. */
function changed(
  type: string,
  change: (properties: Record<string, unknown>) => object | undefined,
): Resources {
  const [id = "", found] = Object.entries(shipped).find(([, { Type }]) => Type === type) ?? [];
  const { [id]: _gone, ...rest } = shipped;
  const Properties = change({ ...found?.Properties }) as Resource["Properties"] | undefined;
  return Properties === undefined ? rest : { ...rest, [id]: { ...found, Type: type, Properties } };
}

const policy = (Action: unknown, Principal?: unknown) => ({
  Statement: [
    { Effect: "Allow", Action, Resource: "arn", ...(Principal !== undefined && { Principal }) },
  ],
});

describe.runIf(runs)("examples/mayfly.guard, by cfn-guard", () => {
  test("the shipped template breaks no rule", () => {
    expect(execFileSync(GUARD, ["--version"], { encoding: "utf8" })).toMatch(/^cfn-guard 3\./);
    expect(broken(shipped)).toEqual([]);
  });

  test.each<[string, string, () => Resources]>([
    [
      "an alias without a policy",
      "every_alias_has_a_resource_policy",
      () => ({
        ...shipped,
        Another: { Type: "AWS::Lambda::Alias", Properties: { Name: "other--readonly" } },
      }),
    ],
    [
      "a policy that denies nobody",
      "a_resource_policy_lets_one_role_in",
      () =>
        changed("AWS::Lambda::ResourcePolicy", (properties) => ({
          ...properties,
          PolicyDocument: policy("lambda:InvokeFunction", "*"),
        })),
    ],
    [
      "a service that may call for every account",
      "no_function_permission_without_its_source",
      () => changed("AWS::Lambda::Permission", ({ SourceAccount: _source, ...rest }) => rest),
    ],
    [
      "a function with a URL",
      "no_function_has_a_url",
      () => ({ ...shipped, Url: { Type: "AWS::Lambda::Url", Properties: {} } }),
    ],
    [
      "a role with a policy of AWS",
      "no_role_may_do_everything",
      () => changed("AWS::IAM::Role", (role) => ({ ...role, ManagedPolicyArns: ["arn:admin"] })),
    ],
    [
      "a policy with every action of a service",
      "no_role_may_do_everything",
      () =>
        changed("AWS::IAM::Policy", (properties) => ({
          ...properties,
          PolicyDocument: policy(["sqs:SendMessage", "lambda:*"]),
        })),
    ],
    [
      "a role for everybody",
      "nobody_trusts_everybody",
      () =>
        changed("AWS::IAM::Role", (role) => ({
          ...role,
          AssumeRolePolicyDocument: policy("sts:AssumeRole", { AWS: "*" }),
        })),
    ],
    [
      "a queue without encryption",
      "queues_are_encrypted",
      () => changed("AWS::SQS::Queue", ({ SqsManagedSseEnabled: _sse, ...rest }) => rest),
    ],
    [
      "schedules that go with the stack",
      "the_schedules_outlive_the_stack",
      () =>
        Object.fromEntries(
          Object.entries(shipped).map(([id, resource]) => [
            id,
            resource.Type === "AWS::Scheduler::ScheduleGroup"
              ? { ...resource, DeletionPolicy: "Delete" }
              : resource,
          ]),
        ),
    ],
  ])("%s breaks %s", (_, rule, template) => {
    expect(broken(template())).toEqual([rule]);
  });
});
