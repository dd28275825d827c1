import { Stack } from "aws-cdk-lib";
import { Annotations, Match, Template } from "aws-cdk-lib/assertions";
import { afterAll, expect, test } from "vitest";
import { OtherAccountRole } from "../../lib/index.ts";
import { assetFile, ofType, only, READONLY, resourcesOf, Workbench } from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const ACCOUNT = "111122223333";
const FOREIGN = "arn:aws:iam::999988887777:role/app";

/** One grant, in a stack of that Region. */
function grantIn(region: string | undefined, props: { readonly aliasUnsealed?: boolean } = {}) {
  const env = region === undefined ? {} : { env: { account: ACCOUNT, region } };
  const stack = new Stack(bench.app(), "Team", env);
  const database = bench.database({ ...props, tls: "plaintext" }, stack);
  database.addRole("readonly", READONLY).addConsumer("app", new OtherAccountRole(FOREIGN));
  return stack;
}

test.each(["us-gov-west-1", "us-gov-east-1", "cn-north-1", "cn-northwest-1", "me-central-1"])(
  "a Region without policies of aliases is refused: %s",
  (region) => {
    expect(() => grantIn(region)).toThrow(
      `orders: Region "${region}" has no AWS::Lambda::ResourcePolicy, by which an alias refuses everybody but its consumer; deploy to another Region, or write aliasUnsealed: true`,
    );
  },
);

test("a known Region with alias policies needs no template rule", () => {
  const template = Template.fromStack(grantIn("eu-west-1")).toJSON();
  expect(template.Rules?.AliasPoliciesInRegion).toBeUndefined();
});

test("if the Region is unknown, a template rule refuses Regions without alias policies", () => {
  const { Rules } = Template.fromStack(grantIn(undefined)).toJSON();
  const [assertion, ...others] = Rules.AliasPoliciesInRegion.Assertions;
  expect(others).toEqual([]);
  expect(assertion.Assert).toEqual({
    "Fn::Not": [
      {
        "Fn::Contains": [
          ["cn-north-1", "cn-northwest-1", "me-central-1", "us-gov-east-1", "us-gov-west-1"],
          { Ref: "AWS::Region" },
        ],
      },
    ],
  });
  expect(assertion.AssertDescription).toContain("aliasUnsealed: true");
});

test("unsealed aliases have no policy, with a warning at synthesis and a flag in the deployment", () => {
  const stack = grantIn("us-gov-west-1", { aliasUnsealed: true });
  const resources = resourcesOf(stack);
  expect(ofType(resources, "AWS::Lambda::ResourcePolicy")).toEqual([]);
  // another account's role still needs our half of its permission
  const [alias] = only(resources, "AWS::Lambda::Alias", "rolereadonly");
  const ofAlias = ofType(resources, "AWS::Lambda::Permission").filter(
    ([, { Properties }]) => Properties.Principal === FOREIGN,
  );
  expect(ofAlias.map(([, { Properties }]) => Properties)).toEqual([
    { Action: "lambda:InvokeFunction", FunctionName: { Ref: alias }, Principal: FOREIGN },
  ]);
  Annotations.fromStack(stack).hasWarning(
    "*",
    Match.stringLikeRegexp("aliases of orders have no policy \\(aliasUnsealed\\)"),
  );
  for (const [name, file] of [
    ["Operator", "deployment.json"],
    ["Provisioner", "plan.json"],
  ] as const)
    expect(JSON.parse(assetFile(stack, name, file))).toMatchObject({ aliasUnsealed: true });
});
