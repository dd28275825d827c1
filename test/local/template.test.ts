import { expect, test } from "vitest";
import type { Template } from "../../local/cloudformation/assembly.ts";
import { thingStack } from "./thing-stack.ts";

async function create(template: Template) {
  const { stack, made } = thingStack();
  await stack.create(template);
  return { made, order: Object.keys(made), outputs: stack.outputs };
}

const resolved = async (Value: unknown, more: Partial<Template> = {}) => {
  const { made } = await create({
    Resources: { A: { Type: "Thing" }, B: { Type: "Thing", Properties: { Value } } },
    ...more,
  });
  return (made.B as { Value?: unknown }).Value;
};

test.each<[string, unknown, unknown]>([
  ["Ref of a resource", { Ref: "A" }, "ref-A-1"],
  ["Ref of a pseudo parameter", { Ref: "AWS::Region" }, "eu-west-1"],
  ["AWS::NoValue in an object", { x: { Ref: "AWS::NoValue" }, y: 1 }, { y: 1 }],
  ["AWS::NoValue in a list", [{ Ref: "AWS::NoValue" }, 1], [1]],
  ["GetAtt", { "Fn::GetAtt": ["A", "Arn"] }, "arn-A"],
  ["GetAtt of a nested attribute", { "Fn::GetAtt": ["A", "A.B"] }, "nested"],
  ["GetAtt as text", { "Fn::GetAtt": "A.A.B" }, "nested"],
  ["Join", { "Fn::Join": ["-", ["a", { Ref: "A" }]] }, "a-ref-A-1"],
  [
    "Sub",
    { "Fn::Sub": "${AWS::Region} ${A} ${A.Arn} ${!Kept}" },
    "eu-west-1 ref-A-1 arn-A ${Kept}",
  ],
  ["Sub with variables", { "Fn::Sub": ["${V}/${A}", { V: { Ref: "A" } }] }, "ref-A-1/ref-A-1"],
  ["Select and Split", { "Fn::Select": [1, { "Fn::Split": ["-", { Ref: "A" }] }] }, "A"],
  ["GetAZs", { "Fn::Select": ["0", { "Fn::GetAZs": "" }] }, "eu-west-1a"],
  ["a policy's Condition is no function", { Condition: { Bool: {} } }, { Condition: { Bool: {} } }],
])("%s", async (_, value, expected) => {
  expect(await resolved(value)).toEqual(expected);
});

test.each<[string, unknown, string]>([
  ["Equals", { "Fn::Equals": [{ Ref: "AWS::Region" }, "eu-west-1"] }, "yes"],
  ["Not", { "Fn::Not": [{ "Fn::Equals": ["a", "a"] }] }, "no"],
  ["And", { "Fn::And": [{ "Fn::Equals": ["a", "a"] }, { Condition: "False" }] }, "no"],
  ["Or", { "Fn::Or": [{ "Fn::Equals": ["a", "a"] }, { Condition: "False" }] }, "yes"],
])("If and %s", async (_, condition, expected) => {
  const Conditions = { C: condition, False: { "Fn::Equals": ["a", "b"] } };
  expect(await resolved({ "Fn::If": ["C", "yes", "no"] }, { Conditions })).toBe(expected);
});

test("an unknown intrinsic function is named", async () => {
  await expect(resolved({ "Fn::ImportValue": "x" })).rejects.toThrow(
    "the local runner does not implement Fn::ImportValue",
  );
});

test("unknown types are all named, and nothing is created", async () => {
  const Resources = { A: { Type: "Thing" }, Q: { Type: "AWS::X::Y" }, R: { Type: "AWS::X::Z" } };
  await expect(create({ Resources })).rejects.toThrow(
    "the local runner does not implement AWS::X::Y (Q), AWS::X::Z (R)",
  );
});

test("an unknown attribute, an unknown name and a circle are named", async () => {
  await expect(resolved({ "Fn::GetAtt": ["A", "Nope"] })).rejects.toThrow(
    "the local runner has no attribute Nope of A, a Thing",
  );
  await expect(resolved({ Ref: "Nobody" })).rejects.toThrow(
    "Nobody is no parameter and no resource",
  );
  await expect(resolved({ Ref: "B" })).rejects.toThrow("resources need each other: B -> B");
});

test("resources come after what they refer to or depend on", async () => {
  const { order } = await create({
    Resources: {
      Last: {
        Type: "Thing",
        Properties: { x: { "Fn::Sub": "${Middle.Arn}" } },
        DependsOn: ["First"],
      },
      Middle: { Type: "Thing", DependsOn: "First" },
      First: { Type: "Thing" },
    },
  });
  expect(order).toEqual(["First", "Middle", "Last"]);
});

test("a resource or output whose condition is false is not there", async () => {
  const { order, outputs } = await create({
    Conditions: { No: { "Fn::Equals": ["a", "b"] } },
    Resources: { A: { Type: "Thing" }, B: { Type: "Thing", Condition: "No" } },
    Outputs: { X: { Value: { Ref: "A" } }, Y: { Value: { Ref: "B" }, Condition: "No" } },
  });
  expect(order).toEqual(["A"]);
  expect(outputs).toEqual({ X: "ref-A-1" });
});

test("parameters have their default, and CDK's bootstrap version a value", async () => {
  const Parameters = {
    Plain: { Type: "String", Default: "d" },
    BootstrapVersion: {
      Type: "AWS::SSM::Parameter::Value<String>",
      Default: "/cdk-bootstrap/hnb659fds/version",
    },
    Missing: { Type: "String" },
  };
  expect(await resolved({ Ref: "Plain" }, { Parameters })).toBe("d");
  expect(await resolved({ Ref: "BootstrapVersion" }, { Parameters })).toMatch(/^\d+$/);
  await expect(resolved({ Ref: "Missing" }, { Parameters })).rejects.toThrow("parameter Missing");
});

test("a reference to a secret is resolved where it stands, and others are named", async () => {
  const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:name-AbCdEf";
  expect(await resolved(`<{{resolve:secretsmanager:${arn}:SecretString:password::}}>`)).toBe(
    `<"${arn}|password||">`,
  );
  expect(await resolved("{{resolve:secretsmanager:name}}")).toBe('"name|||"');
  await expect(resolved("{{resolve:ssm:/x:1}}")).rejects.toThrow(
    "the local runner does not implement {{resolve:ssm:/x:1}}",
  );
});
