import { Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { AccountRootPrincipal, type IRole, Role } from "aws-cdk-lib/aws-iam";
import { afterAll, expect, test } from "vitest";
import { type DynamicRole, OtherAccountRole, type Workload } from "../../lib/index.ts";
import { ofType, only, READONLY, type Resources, resourcesOf, Workbench } from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const HERE = { account: "111122223333", region: "eu-west-1" };

/** A database in a known account, and its one dynamic role. */
function roleIn(stack: Stack): DynamicRole {
  return bench.database({}, stack).addRole("readonly", READONLY);
}

/** The resources that a consumer makes, by type. */
function grantTo(grantee: (stack: Stack) => Workload): Resources {
  const stack = bench.stackIn(HERE);
  roleIn(stack).addConsumer("app", grantee(stack));
  return resourcesOf(stack);
}

const own = (stack: Stack): Role =>
  new Role(stack, "App", { assumedBy: new AccountRootPrincipal() });

/** An ARN that refers to no resource, of which this is the end. */
const arnByName = (start: string, end: string) => ({
  "Fn::Join": ["", ["arn:", { Ref: "AWS::Partition" }, expect.stringMatching(`${start}.+${end}$`)]],
});

const consumerPolicies = (resources: Resources) =>
  ofType(resources, "AWS::IAM::Policy").filter(([id]) => id.includes("InvokeMayfly"));

test("a grant is an alias, a policy on it alone, and a resource policy that denies everyone else", () => {
  const resources = grantTo(own);
  const [alias, { Properties }] = only(resources, "AWS::Lambda::Alias", "rolereadonly");
  expect(Properties).toMatchObject({
    Name: "app--readonly",
    FunctionName: { Ref: only(resources, "AWS::Lambda::Function", "Issuer")[0] },
  });
  const [[, policy] = []] = consumerPolicies(resources);
  const [roleId] = only(resources, "AWS::IAM::Role", "App");
  expect(policy?.Properties).toMatchObject({
    Roles: [{ Ref: roleId }],
    PolicyDocument: {
      Version: "2012-10-17",
      Statement: [
        {
          Sid: "AskMayfly",
          Effect: "Allow",
          Action: "lambda:InvokeFunction",
          Resource: arnByName(":function:mayfly-Team-", "-issuer:app--readonly"),
        },
      ],
    },
  });
  const [, resourcePolicy] = only(resources, "AWS::Lambda::ResourcePolicy", "rolereadonly");
  expect(resourcePolicy.Properties).toEqual({
    ResourceArn: { Ref: alias },
    PolicyDocument: {
      Version: "2012-10-17",
      Statement: [
        {
          Sid: "OnlyTheConsumer",
          Effect: "Deny",
          Principal: "*",
          Action: ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:InvokeAsync"],
          Resource: { Ref: alias },
          Condition: {
            StringNotEquals: { "aws:PrincipalArn": { "Fn::GetAtt": [roleId, "Arn"] } },
          },
        },
      ],
    },
  });
});

test("nothing invokes through an AWS::Lambda::Permission, which would replace the policies", () => {
  const resources = grantTo(own);
  const [issuer] = only(resources, "AWS::Lambda::Function", "FunctionsIssuer");
  for (const [, { Properties }] of ofType(resources, "AWS::Lambda::Permission"))
    expect(Properties.FunctionName).not.toEqual({ "Fn::GetAtt": [issuer, "Arn"] });
});

test("an asynchronous call of an alias is never retried, and expires soon", () => {
  const [, { Properties }] = only(grantTo(own), "AWS::Lambda::EventInvokeConfig", "rolereadonly");
  expect(Properties).toMatchObject({ MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 });
});

test("nobody can ask before the database is provisioned", () => {
  const resources = grantTo(own);
  const [, alias] = only(resources, "AWS::Lambda::Alias", "rolereadonly");
  expect(alias.DependsOn).toContain(only(resources, "Custom::MayflyProvision")[0]);
});

test("a role of the account that is imported is given its policy", () => {
  const arn = `arn:aws:iam::${HERE.account}:role/team/reporting`;
  const resources = grantTo((stack) => Role.fromRoleArn(stack, "R", arn));
  const [[, policy] = []] = consumerPolicies(resources);
  expect(policy?.Properties.Roles).toEqual(["reporting"]);
  expect(
    JSON.stringify(only(resources, "AWS::Lambda::ResourcePolicy", "rolereadonly")[1]),
  ).toContain(arn);
});

test("a role of another account is allowed by the alias, since its policy is attached there", () => {
  const arn = "arn:aws:iam::999999999999:role/reporting";
  const resources = grantTo(() => new OtherAccountRole(arn));
  expect(consumerPolicies(resources)).toEqual([]);
  const [alias] = only(resources, "AWS::Lambda::Alias", "rolereadonly");
  const [, { Properties }] = only(resources, "AWS::Lambda::ResourcePolicy", "rolereadonly");
  expect(Properties.PolicyDocument).toMatchObject({
    Statement: [
      { Effect: "Deny", Condition: { StringNotEquals: { "aws:PrincipalArn": arn } } },
      {
        Sid: "ForeignConsumer",
        Effect: "Allow",
        Principal: { AWS: arn },
        Action: "lambda:InvokeFunction",
        Resource: { Ref: alias },
      },
    ],
  });
});

test("a role of another stack is granted without a reference back to this one", () => {
  const app = bench.app();
  const service = new Stack(app, "Service");
  const stack = new Stack(app, "Team");
  const grant = roleIn(stack).addConsumer("app", own(service));
  expect(consumerPolicies(resourcesOf(service))).toHaveLength(1);
  expect(service.dependencies).toEqual([]);
  expect(stack.dependencies).toEqual([service]);
  expect(Stack.of(grant)).toBe(stack);
});

test("a role of another stack that has a name of its own needs no reference at all", () => {
  const app = bench.app();
  const service = new Stack(app, "Service");
  const stack = new Stack(app, "Team");
  const props = { roleName: "orders-service", assumedBy: new AccountRootPrincipal() };
  roleIn(stack).addConsumer("app", new Role(service, "App", props));
  const [, { Properties }] = only(
    resourcesOf(stack),
    "AWS::Lambda::ResourcePolicy",
    "rolereadonly",
  );
  expect(JSON.stringify(Properties)).toContain(":role/orders-service");
  expect(stack.dependencies).toEqual([]);
});

test("a named role of another account's stack is not a role of that name in this account", () => {
  const app = bench.app();
  const env = { ...HERE, account: "999999999999" };
  const props = { roleName: "reporting", assumedBy: new AccountRootPrincipal() };
  const reporting = new Role(new Stack(app, "Other", { env }), "R", props);
  const stack = new Stack(app, "Team", { env: HERE });
  roleIn(stack).addConsumer("app", reporting);
  const [, { Properties }] = only(
    resourcesOf(stack),
    "AWS::Lambda::ResourcePolicy",
    "rolereadonly",
  );
  const [denied, allowed] = (Properties.PolicyDocument as { Statement: StatementOfRole[] })
    .Statement;
  const arn = {
    "Fn::Join": ["", ["arn:", { Ref: "AWS::Partition" }, ":iam::999999999999:role/reporting"]],
  };
  expect(denied?.Condition?.StringNotEquals["aws:PrincipalArn"]).toEqual(arn);
  expect(allowed?.Principal.AWS).toEqual(arn);
});

test.each<[string, boolean, (stack: Stack) => IRole]>([
  [
    "made",
    true,
    (stack) =>
      new Role(stack, "R", { roleName: "reporting", assumedBy: new AccountRootPrincipal() }),
  ],
  ["imported", false, (stack) => Role.fromRoleName(stack, "R", "reporting")],
])(
  "a role that is %s in a stack of its own account gets its policy there",
  (_how, isFirst, make) => {
    const app = bench.app();
    const elsewhere = new Stack(app, "Other", { env: { ...HERE, account: "999999999999" } });
    const stack = new Stack(app, "Team", { env: HERE });
    const { aliasArn } = roleIn(stack).addConsumer("app", make(elsewhere));
    const [[, policy] = []] = consumerPolicies(resourcesOf(elsewhere));
    const document = JSON.stringify(policy?.Properties.PolicyDocument);
    expect(document).toContain(JSON.stringify(stack.resolve(aliasArn)));
    expect(document).toContain(":lambda:eu-west-1:111122223333:");
    expect(consumerPolicies(resourcesOf(stack))).toEqual([]);
    // Lambda refuses a policy for a role that does not exist yet
    expect(stack.dependencies).toEqual(isFirst ? [elsewhere] : []);
  },
);

const ARN = (account: string, path: string) => `arn:aws:iam::${account}:role/${path}`;

test.each<[string, string, (stack: Stack) => Workload, string]>([
  [
    "of another account",
    "a stack of this account",
    (stack) => Role.fromRoleArn(stack, "R", ARN("999999999999", "reporting")),
    'Team/R is a role of account 999999999999, imported in a stack of account 111122223333: CDK attaches no policy to it; import it in a stack of its own account, or pass new OtherAccountRole("arn:aws:iam::999999999999:role/reporting") and attach the policy there',
  ],
  [
    "imported with mutable: false",
    "its account",
    (stack) => Role.fromRoleArn(stack, "R", ARN(HERE.account, "reporting"), { mutable: false }),
    "Team/R (arn:aws:iam::111122223333:role/reporting) is imported so that CDK attaches no policy to it; import it without mutable: false",
  ],
  [
    "without policy updates",
    "its account",
    (stack) => own(stack).withoutPolicyUpdates(),
    "is imported so that CDK attaches no policy to it; import it without mutable: false",
  ],
  [
    "of a service",
    "its account",
    (stack) =>
      Role.fromRoleArn(stack, "R", ARN(HERE.account, "aws-service-role/ecs.amazonaws.com/X")),
    "is a service-linked role, to which IAM lets nobody attach a policy; give the workload a role of its own",
  ],
  [
    "of Identity Center",
    "its account",
    (stack) =>
      Role.fromRoleArn(
        stack,
        "R",
        ARN(
          HERE.account,
          "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef",
        ),
      ),
    'pass new IdentityCenterRole({ permissionSet: "…" })',
  ],
  [
    "of this account that is said to be of another",
    "its account",
    () => new OtherAccountRole(ARN(HERE.account, "reporting")),
    "arn:aws:iam::111122223333:role/reporting is a role of this account; write roleArn",
  ],
])(
  "a role %s, in %s, is refused: nothing would be attached to it",
  (_what, _where, make, fault) => {
    expect(() => grantTo(make)).toThrow(fault);
  },
);

test("if nobody knows the account yet, CloudFormation checks it before it attaches a policy", () => {
  const stack = new Stack(bench.app(), "Team");
  const role = Role.fromRoleArn(stack, "R", ARN("999999999999", "reporting"));
  roleIn(stack).addConsumer("app", role);
  const { Rules } = Template.fromStack(stack).toJSON();
  expect(Rules.RolesOfAccount999999999999.Assertions).toEqual([
    {
      Assert: { "Fn::Equals": [{ Ref: "AWS::AccountId" }, "999999999999"] },
      AssertDescription: expect.stringContaining("otherAccountRoleArn"),
    },
  ]);
});

interface StatementOfRole {
  readonly Principal: { readonly AWS: unknown };
  readonly Condition?: { readonly StringNotEquals: Readonly<Record<string, unknown>> };
}

test("the alias's ARN is known by name, for stacks that must not refer to this one", () => {
  const database = bench.database({ tag: "ab27" }, bench.stackIn(HERE));
  const role = database.addRole("readonly", READONLY);
  const grant = role.addConsumer("app", own(Stack.of(database)));
  expect(Stack.of(database).resolve(grant.aliasArn)).toEqual({
    "Fn::Join": [
      "",
      [
        "arn:",
        { Ref: "AWS::Partition" },
        ":lambda:eu-west-1:111122223333:function:mayfly-Team-ab27-issuer:app--readonly",
      ],
    ],
  });
});

test.each([["App"], ["a--b"], ["abcdefghijklmnopq"], ["1st"], [""]])(
  "refuses the consumer name %j",
  (name) => {
    const stack = bench.stackIn(HERE);
    expect(() => roleIn(stack).addConsumer(name, own(stack))).toThrow(
      `"${name}" is not a consumer name; write 1 to 16 of a-z, 0-9 and single hyphens, a letter first`,
    );
  },
);

test("refuses one name for two roles, and one grant twice", () => {
  const stack = bench.stackIn(HERE);
  const database = bench.database({}, stack);
  const [readonly, other] = ["readonly", "other"].map((name) => database.addRole(name, READONLY));
  const grantee = own(stack);
  readonly?.addConsumer("app", grantee);
  other?.addConsumer("app", grantee);
  expect(() => readonly?.addConsumer("app", grantee)).toThrow(
    "app may ask for orders/readonly already",
  );
  const stranger = new Role(stack, "Stranger", { assumedBy: new AccountRootPrincipal() });
  expect(() => other?.addConsumer("app", stranger)).toThrow(
    'consumer "app" of orders is another role already; one name is one role, choose another name',
  );
});
