import { App, Stack } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { afterAll, describe, expect, test } from "vitest";
import { type MayflyConfig, parseConfig } from "../../config/config.ts";
import {
  GitHubRole,
  GitLabRole,
  IrsaRole,
  MayflyStack,
  OidcRole,
  PodIdentityRole,
  RolesAnywhereRole,
} from "../../lib/index.ts";
import { host } from "../config/sample-config.ts";
import { ofType, only, type Resources, resourcesOf, Workbench } from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const HERE = { account: "111122223333", region: "eu-west-1" };
const ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
const KEY = ISSUER.replace("https://", "");
const ANCHOR =
  "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/01234567-89ab-cdef-0123-456789abcdef";
const FOREIGN = "arn:aws:iam::999999999999:role/reporting";

type Consumers = MayflyConfig["consumers"];
const roles = ["orders/ro"];

/** One consumer of each kind that the stack makes a role for, and of those that it does not. */
const CONSUMERS: Consumers = {
  irsa: {
    eks: {
      oidcIssuer: ISSUER,
      namespace: "shop",
      serviceAccounts: ["api", "worker"],
      newProvider: true,
    },
    roles,
  },
  pods: { eks: { cluster: "main", namespace: "shop", serviceAccount: "web" }, roles },
  task: { ecs: true, roles },
  instance: { ec2: true, roles },
  reports: { lambda: { functionName: "reports" }, roles },
  deploy: { github: { repository: "acme/orders", branch: "main" }, roles },
  migrate: { gitlab: { project: "acme/orders", tag: "v1" }, roles },
  kubernetes: {
    oidc: {
      issuer: "https://k8s.example.com/cluster/",
      subject: "system:serviceaccount:shop:api",
      audience: "mayfly",
    },
    roles,
  },
  gcp: {
    oidc: { issuer: "https://accounts.google.com", subject: "1044", audience: "mayfly" },
    roles,
  },
  machine: {
    rolesAnywhere: { trustAnchorArn: ANCHOR, commonName: "db.corp", organization: "Acme" },
    roles,
  },
  people: { identityCenter: { permissionSet: "DatabaseAdministrator" }, roles },
  partner: { otherAccountRoleArn: FOREIGN, roles },
};

const stackOf = (consumers: Consumers, env = HERE): MayflyStack =>
  new MayflyStack(bench.app(), "Mayfly", {
    config: parseConfig({ databases: { orders: host }, consumers }),
    assets: bench.assets,
    env,
  });

const stack = stackOf(CONSUMERS);
const resources = resourcesOf(stack);
const { Outputs } = Template.fromStack(stack).toJSON() as {
  Outputs: Record<string, { Value: unknown }>;
};

/** What a consumer's role trusts. */
function trustOf(consumer: string, from: Resources = resources): unknown {
  const [, { Properties }] = only(from, "AWS::IAM::Role", `consumer${consumer}`);
  const { Statement } = Properties.AssumeRolePolicyDocument as { Statement: unknown[] };
  expect(Statement).toHaveLength(1);
  return Statement[0];
}

const partition = { Ref: "AWS::Partition" };
const arn = (rest: string) => ({ "Fn::Join": ["", ["arn:", partition, rest]] });
const provider = (name: string) => arn(`:iam::111122223333:oidc-provider/${name}`);

const webIdentity = (federated: unknown, StringEquals: object) => ({
  Effect: "Allow",
  Principal: { Federated: federated },
  Action: "sts:AssumeRoleWithWebIdentity",
  Condition: { StringEquals },
});

test.each<[string, object]>([
  [
    "irsa",
    webIdentity(provider(KEY), {
      [`${KEY}:aud`]: "sts.amazonaws.com",
      [`${KEY}:sub`]: ["system:serviceaccount:shop:api", "system:serviceaccount:shop:worker"],
    }),
  ],
  [
    "pods",
    {
      Effect: "Allow",
      Principal: { Service: "pods.eks.amazonaws.com" },
      Action: ["sts:AssumeRole", "sts:TagSession"],
      Condition: {
        StringEquals: {
          "aws:RequestTag/eks-cluster-arn": arn(":eks:eu-west-1:111122223333:cluster/main"),
          "aws:RequestTag/kubernetes-namespace": "shop",
          "aws:RequestTag/kubernetes-service-account": "web",
        },
      },
    },
  ],
  [
    "task",
    {
      Effect: "Allow",
      Principal: { Service: "ecs-tasks.amazonaws.com" },
      Action: "sts:AssumeRole",
      Condition: {
        StringEquals: { "aws:SourceAccount": "111122223333" },
        ArnLike: { "aws:SourceArn": arn(":ecs:eu-west-1:111122223333:*") },
      },
    },
  ],
  [
    "instance",
    { Effect: "Allow", Principal: { Service: "ec2.amazonaws.com" }, Action: "sts:AssumeRole" },
  ],
  [
    "reports",
    { Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" },
  ],
  [
    "deploy",
    webIdentity(provider("token.actions.githubusercontent.com"), {
      "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
      "token.actions.githubusercontent.com:sub": "repo:acme/orders:ref:refs/heads/main",
    }),
  ],
  [
    "migrate",
    webIdentity(provider("gitlab.com"), {
      "gitlab.com:aud": "https://gitlab.com",
      "gitlab.com:sub": "project_path:acme/orders:ref_type:tag:ref:v1",
    }),
  ],
  [
    "kubernetes",
    webIdentity(provider("k8s.example.com/cluster/"), {
      "k8s.example.com/cluster/:aud": "mayfly",
      "k8s.example.com/cluster/:sub": "system:serviceaccount:shop:api",
    }),
  ],
  [
    "gcp",
    webIdentity("accounts.google.com", {
      "accounts.google.com:aud": "1044",
      "accounts.google.com:oaud": "mayfly",
      "accounts.google.com:sub": "1044",
    }),
  ],
  [
    "machine",
    {
      Effect: "Allow",
      Principal: { Service: "rolesanywhere.amazonaws.com" },
      Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
      Condition: {
        ArnEquals: { "aws:SourceArn": ANCHOR },
        StringEquals: {
          "aws:PrincipalTag/x509Subject/CN": "db.corp",
          "aws:PrincipalTag/x509Subject/O": "Acme",
        },
      },
    },
  ],
])("the role of %s trusts exactly its workload", (consumer, trust) => {
  expect(trustOf(consumer)).toEqual(trust);
});

test("each role may invoke its own alias, and a function write its own log", () => {
  const statements = ofType(resources, "AWS::IAM::Policy").filter(([id]) =>
    id.includes("consumer"),
  );
  const allowed = statements.flatMap(([, { Properties }]) =>
    (
      Properties.PolicyDocument as { Statement: { Sid: string; Action: string | string[] }[] }
    ).Statement.map(({ Sid }) => Sid),
  );
  expect(allowed.sort()).toEqual([
    ...Array(10).fill("AskMayfly"),
    "NetworkInterfaces",
    "NotFromCode",
    "OwnLogs",
  ]);
  const [, logs] = only(resources, "AWS::IAM::Policy", "consumerreportsDefaultPolicy");
  const group = ":logs:eu-west-1:111122223333:log-group:/aws/lambda/reports";
  expect(JSON.stringify(logs)).toContain(
    JSON.stringify([arn(group), arn(`${group}:log-stream:*`)]),
  );
});

test("what hands the roles out is made with them", () => {
  const [, made] = only(resources, "AWS::IAM::OIDCProvider");
  expect(made.Properties).toEqual({ Url: ISSUER, ClientIdList: ["sts.amazonaws.com"] });
  const [providerId] = only(resources, "AWS::IAM::OIDCProvider");
  expect(only(resources, "AWS::IAM::Role", "consumerirsa")[1].DependsOn).toEqual([providerId]);
  expect(only(resources, "AWS::EKS::PodIdentityAssociation")[1].Properties).toEqual({
    ClusterName: "main",
    Namespace: "shop",
    ServiceAccount: "web",
    RoleArn: { "Fn::GetAtt": [only(resources, "AWS::IAM::Role", "consumerpods")[0], "Arn"] },
  });
  const roleOf = (consumer: string) => only(resources, "AWS::IAM::Role", `consumer${consumer}`)[0];
  const [profileId, profile] = only(resources, "AWS::IAM::InstanceProfile");
  expect(profile.Properties.Roles).toEqual([{ Ref: roleOf("instance") }]);
  expect(Outputs.InstanceInstanceProfile?.Value).toEqual({ Ref: profileId });
  const [anywhereId, anywhere] = only(resources, "AWS::RolesAnywhere::Profile");
  expect(anywhere.Properties).toMatchObject({
    Enabled: true,
    RoleArns: [{ "Fn::GetAtt": [roleOf("machine"), "Arn"] }],
  });
  expect(Outputs.MachineProfileArn?.Value).toEqual({ "Fn::GetAtt": [anywhereId, "ProfileArn"] });
});

/** Whom the alias of a consumer does not refuse. */
function callersOf(consumer: string): { Effect: string; Condition: unknown; Principal: unknown }[] {
  const [, { Properties }] = only(resources, "AWS::Lambda::ResourcePolicy", `rolero${consumer}`);
  return (Properties.PolicyDocument as { Statement: ReturnType<typeof callersOf> }).Statement;
}

test("people of Identity Center are known by the pattern of their role, whose end changes", () => {
  const path = ":iam::111122223333:role/aws-reserved/sso.amazonaws.com";
  const name = "AWSReservedSSO_DatabaseAdministrator_????????????????";
  expect(callersOf("people")).toEqual([
    expect.objectContaining({
      Effect: "Deny",
      Condition: {
        ArnNotLike: { "aws:PrincipalArn": [arn(`${path}/${name}`), arn(`${path}/*/${name}`)] },
      },
    }),
  ]);
});

test("the policy that somebody else must attach is an output", () => {
  expect(callersOf("partner")).toEqual([
    expect.objectContaining({ Condition: { StringNotEquals: { "aws:PrincipalArn": FOREIGN } } }),
    expect.objectContaining({ Effect: "Allow", Principal: { AWS: FOREIGN } }),
  ]);
  for (const [output, alias] of [
    ["PeoplePolicy", "people--ro"],
    ["PartnerPolicy", "partner--ro"],
  ] as const) {
    const { "Fn::Join": join = [] } = (Outputs[output]?.Value ?? {}) as { "Fn::Join"?: unknown[] };
    const text = (join[1] as unknown[])
      .map((part) => (typeof part === "string" ? part : "aws"))
      .join("");
    expect(JSON.parse(text)).toEqual({
      Version: "2012-10-17",
      Statement: [
        {
          Effect: "Allow",
          Action: "lambda:InvokeFunction",
          Resource: expect.stringMatching(
            new RegExp(
              `^arn:aws:lambda:eu-west-1:111122223333:function:mayfly-.*-issuer:${alias}$`,
            ),
          ),
        },
      ],
    });
  }
});

describe("an issuer's provider", () => {
  const github = { github: { repository: "acme/orders", branch: "main" } };
  test("is not made if the account has it", () => {
    const made = resourcesOf(stackOf({ deploy: { ...github, roles } }));
    expect(ofType(made, "AWS::IAM::OIDCProvider")).toEqual([]);
  });

  test("is made once for all of its consumers and audiences, who all wait for it", () => {
    const second = { repository: "acme/users", branch: "main", audience: "mayfly" };
    const made = resourcesOf(
      stackOf({
        a: { ...github, roles },
        b: { github: { ...second, newProvider: true }, roles },
      }),
    );
    const [id, { Properties }] = only(made, "AWS::IAM::OIDCProvider");
    expect(Properties.ClientIdList).toEqual(["sts.amazonaws.com", "mayfly"]);
    // roles of others may trust it
    expect(only(made, "AWS::IAM::OIDCProvider")[1]).toMatchObject({ DeletionPolicy: "Retain" });
    for (const name of ["consumera", "consumerb"])
      expect(only(made, "AWS::IAM::Role", name)[1].DependsOn).toEqual([id]);
  });

  test("of another account is refused", () => {
    const oidcIssuer = `arn:aws:iam::999999999999:oidc-provider/${KEY}`;
    const eks = { oidcIssuer, namespace: "shop", serviceAccount: "api" };
    expect(() => stackOf({ irsa: { eks, roles } })).toThrow(
      "is a provider of account 999999999999, and a role of account 111122223333 needs",
    );
  });

  test("of another account is refused by CloudFormation, if only it knows the stack's", () => {
    const oidcIssuer = `arn:aws:iam::999999999999:oidc-provider/${KEY}`;
    const scope = new Stack(new App({ outdir: `${bench.folder}/anywhere` }), "S");
    new IrsaRole(scope, "App", { oidcIssuer, namespace: "shop", serviceAccount: "api" });
    const { Rules } = Template.fromStack(scope).toJSON() as { Rules: object };
    expect(JSON.stringify(Rules)).toContain("uses an OIDC provider of account 999999999999");
  });
});

describe("constructs", () => {
  const emptyStack = () =>
    new Stack(new App({ outdir: `${bench.folder}/constructs` }), "S", { env: HERE });

  test.each<[string, (scope: Stack) => unknown, string]>([
    [
      "IrsaRole",
      (s) => new IrsaRole(s, "App", { oidcIssuer: ISSUER, namespace: "shop", serviceAccount: "*" }),
      "App.serviceAccount",
    ],
    [
      "PodIdentityRole",
      (s) =>
        new PodIdentityRole(s, "App", { cluster: "main", namespace: "*", serviceAccount: "a" }),
      "App.namespace",
    ],
    [
      "GitHubRole",
      (s) => new GitHubRole(s, "App", { repository: "acme/*", branch: "main" }),
      "App.repository",
    ],
    [
      "GitLabRole",
      (s) => new GitLabRole(s, "App", { project: "acme/orders", branch: "*" }),
      "App.branch",
    ],
    [
      "OidcRole",
      (s) => new OidcRole(s, "App", { issuer: ISSUER, subject: "*", audience: "a" }),
      "App.subject",
    ],
    [
      "RolesAnywhereRole",
      (s) => new RolesAnywhereRole(s, "App", { trustAnchorArn: ANCHOR, commonName: "?" }),
      "App.commonName",
    ],
  ])("%s refuses a wildcard", (_name, make, path) => {
    expect(() => make(emptyStack())).toThrow(`${path}: `);
  });

  test("a trust anchor of another Region is refused", () => {
    const trustAnchorArn = ANCHOR.replace("eu-west-1", "us-east-1");
    expect(
      () => new RolesAnywhereRole(emptyStack(), "App", { trustAnchorArn, commonName: "a" }),
    ).toThrow(
      `the trust anchor ${trustAnchorArn} is in Region us-east-1, and S in eu-west-1; name one of eu-west-1`,
    );
  });

  test("more service accounts than a trust policy holds are refused", () => {
    const serviceAccounts = Array.from({ length: 60 }, (_, n) => `service-account-${n}`);
    const props = { oidcIssuer: ISSUER, namespace: "shop", serviceAccounts };
    expect(() => new IrsaRole(emptyStack(), "App", props)).toThrow(
      /^the trust policy of S\/App has \d{4} characters, and IAM allows 2048; give some/,
    );
  });

  test("have names and boundaries as the user's other roles", () => {
    const scope = emptyStack();
    new GitHubRole(scope, "App", { repository: "acme/orders", branch: "main", roleName: "deploy" });
    Template.fromStack(scope).hasResourceProperties("AWS::IAM::Role", {
      RoleName: "deploy",
      Description: "Mayfly: jobs of GitHub, App",
      AssumeRolePolicyDocument: Match.anyValue(),
    });
  });
});
