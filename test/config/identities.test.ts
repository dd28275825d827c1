import { expect, test } from "vitest";
import { parseConfig } from "../../config/config.ts";
import { pathsOf, problemsOf, withConsumer } from "./sample-config.ts";

const ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
const PROVIDER = ISSUER.replace("https://", "arn:aws:iam::111122223333:oidc-provider/");
const SA = { namespace: "shop", serviceAccount: "user-service" };
const ANCHOR =
  "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/01234567-89ab-cdef-0123-456789abcdef";

const withIdentity = (identity: object) => withConsumer({ newRole: undefined, ...identity });
const identityOf = (identity: object) =>
  parseConfig(withIdentity(identity)).consumers.app?.identity;

const irsa = (change: object) => ({ eks: { oidcIssuer: ISSUER, ...SA, ...change } });
const pods = (change: object) => ({ eks: { cluster: "main", ...SA, ...change } });
const github = (change: object) => ({ github: { repository: "acme/orders", ...change } });
const gitlab = (change: object) => ({ gitlab: { project: "acme/shop/orders", ...change } });

test.each<[string, object, string]>([
  [
    "pods of every service account",
    irsa({ serviceAccount: "*" }),
    'eks.serviceAccount: "*" has a wildcard, and then pods of every service account whose name fits could ask; name each service account in serviceAccounts',
  ],
  [
    "pods of every namespace",
    irsa({ namespace: "shop-*" }),
    'eks.namespace: "shop-*" has a wildcard, and then everybody who may create a namespace in the cluster could ask; name one namespace',
  ],
  [
    "pods of every cluster",
    pods({ cluster: "*" }),
    'eks.cluster: "*" has a wildcard, and then pods of other clusters could ask; name one cluster',
  ],
  [
    "a policy variable in place of a service account",
    pods({ serviceAccount: undefined, serviceAccounts: ["api", "${aws:username}"] }),
    'eks.serviceAccounts[1]: "${aws:username}" has a wildcard, and then pods of every service account whose name fits could ask; name each service account in serviceAccounts',
  ],
  [
    "an issuer of no cluster",
    irsa({ oidcIssuer: "https://oidc.eks.eu-west-1.amazonaws.com" }),
    'eks.oidcIssuer: "https://oidc.eks.eu-west-1.amazonaws.com" is not the OIDC issuer of an EKS cluster; write what `aws eks describe-cluster --name … --query cluster.identity.oidc.issuer` prints, or the ARN of its provider; for a cluster elsewhere write oidc: { issuer, subject, audience }',
  ],
  [
    "pods by both ways",
    pods({ oidcIssuer: ISSUER }),
    "eks: needs exactly one of cluster and oidcIssuer; write cluster for EKS Pod Identity, which the stack associates, or oidcIssuer for IRSA, where the service account is annotated",
  ],
  [
    "two forms of service accounts",
    pods({ serviceAccounts: ["api"] }),
    'eks: needs exactly one of serviceAccount, serviceAccounts, and has serviceAccount and serviceAccounts; write e.g. serviceAccount: "user-service"',
  ],
  [
    "a whole organization",
    github({ repository: "acme/*", branch: "main" }),
    'github.repository: "acme/*" has a wildcard, and then everybody who may create a repository in the organization could ask; name one repository, e.g. "acme/orders", or "acme@123456/orders@456789" with ids',
  ],
  [
    "every branch",
    github({ branch: "*" }),
    'github.branch: "*" has a wildcard, and then everybody who may push a branch whose name fits could ask; name one branch, without refs/ in front',
  ],
  [
    "any job of a repository",
    github({}),
    'github: needs exactly one of branch, tag, environment, pullRequest; write e.g. branch: "main"',
  ],
  [
    "a reference's long name",
    github({ branch: "refs/heads/main" }),
    'github.branch: "refs/heads/main" is not a branch; name one branch, without refs/ in front',
  ],
  [
    "a whole group",
    gitlab({ project: "acme/*", branch: "main" }),
    'gitlab.project: "acme/*" has a wildcard, and then everybody who may create a project in the group could ask; name one project with its groups, e.g. "acme/shop/orders"',
  ],
  [
    "every caller of an issuer",
    { oidc: { issuer: "https://k8s.example.com", subject: "system:*", audience: "mayfly" } },
    'oidc.subject: "system:*" has a wildcard, and then every caller of the issuer whose subject fits could ask; write the whole "sub" of its tokens; list several in subjects',
  ],
  [
    "tokens for any audience",
    { oidc: { issuer: "https://k8s.example.com", subject: "me", audience: "*" } },
    'oidc.audience: "*" has a wildcard, and then tokens that are meant for other services could ask; write the "aud" of its tokens, e.g. "sts.amazonaws.com"',
  ],
  [
    "an issuer with a port",
    { oidc: { issuer: "https://k8s.example.com:6443", subject: "me", audience: "a" } },
    'oidc.issuer: "https://k8s.example.com:6443" is not an issuer; write the "iss" of its tokens: https://, host and path, no port and no query',
  ],
  [
    "a new provider of Google's",
    {
      oidc: {
        issuer: "https://accounts.google.com",
        subject: "1",
        audience: "a",
        newProvider: true,
      },
    },
    "oidc.newProvider: true is not needed: IAM knows Google's issuer; remove it",
  ],
  [
    "every machine of a trust anchor",
    { rolesAnywhere: { trustAnchorArn: ANCHOR, commonName: "*.corp" } },
    'rolesAnywhere.commonName: "*.corp" has a wildcard, and then machines with other certificates could ask; write it as in the certificate\'s subject',
  ],
  [
    "another resource than a trust anchor",
    {
      rolesAnywhere: { trustAnchorArn: ANCHOR.replace("trust-anchor", "profile"), commonName: "a" },
    },
    `rolesAnywhere.trustAnchorArn: "${ANCHOR.replace("trust-anchor", "profile")}" is not the ARN of a trust anchor; write what \`aws rolesanywhere list-trust-anchors\` prints`,
  ],
  [
    "every permission set",
    { identityCenter: { permissionSet: "DB*" } },
    'identityCenter.permissionSet: "DB*" has a wildcard, and then people with other permission sets could ask; name one permission set, without AWSReservedSSO_ and the end of the role\'s name',
  ],
  [
    "a service-linked role",
    {
      roleArn:
        "arn:aws:iam::111122223333:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
    },
    'roleArn: "arn:aws:iam::111122223333:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS" is a service-linked role, to which IAM lets nobody attach a policy; give the workload a role of its own',
  ],
  [
    "Identity Center's role by its ARN",
    {
      otherAccountRoleArn:
        "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_A_0123456789abcdef",
    },
    'otherAccountRoleArn: "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_A_0123456789abcdef" is a role of Identity Center, to which IAM lets nobody attach a policy, and its ARN changes; write identityCenter: { permissionSet: "…" }',
  ],
  [
    "a function without a name",
    { lambda: {} },
    "lambda.functionName: missing; write 1 to 64 letters, digits, - and _",
  ],
])("refuses %s, with the reason", (_what, identity, problem) => {
  expect(problemsOf(withIdentity(identity))).toEqual([`consumers.app.${problem}`]);
});

test.each<[string, object]>([
  ["namespace", pods({ namespace: "Shop" })],
  ["namespace", irsa({ namespace: undefined })],
  ["serviceAccount", irsa({ serviceAccount: "User_Service" })],
  ["cluster", pods({ cluster: "-main" })],
])("refuses a wrong %s", (key, identity) => {
  expect(pathsOf(withIdentity(identity))).toEqual([`consumers.app.eks.${key}`]);
});

test.each<[string, object]>([
  ["otherAccountRoleArn", { otherAccountRoleArn: "arn:aws:iam::999999999999:role/reporting" }],
  ["identityCenter", { identityCenter: { permissionSet: "DBA" } }],
])("a consumer by %s reads no secrets, since its policies are elsewhere", (_kind, identity) => {
  const [problem] = problemsOf(withIdentity({ ...identity, secrets: ["orders/reports"] }));
  expect(problem).toContain("consumers.app.secrets: ");
  expect(problem).toContain("whose policies are not this stack's");
});

const ID = "id/0123456789ABCDEF0123456789ABCDEF";

test.each([
  [irsa({ oidcIssuer: `https://oidc.eks.eu-west-1.evil.example/${ID}` }), "eks.oidcIssuer"],
  [irsa({ oidcIssuer: `https://oidc.eks.eu-west-1.amazonaws.com.evil/${ID}` }), "eks.oidcIssuer"],
  [irsa({ oidcIssuer: PROVIDER.replace("arn:aws:", "arn:aws-cn:") }), "eks.oidcIssuer"],
  [irsa({ oidcIssuer: PROVIDER, newProvider: true }), "eks.newProvider"],
  [gitlab({ branch: "main", issuer: "https://gitlab.com/" }), "gitlab.issuer"],
  [github({ branch: "main\u202Egpj" }), "github.branch"],
  [github({ environment: "prod\u200B" }), "github.environment"],
])("%j is refused", (identity, field) => {
  expect(problemsOf(withIdentity(identity))).toEqual([
    expect.stringContaining(`consumers.app.${field}: `),
  ]);
});

test.each([
  `https://oidc.eks.cn-north-1.amazonaws.com.cn/${ID}`,
  `https://oidc-eks.eu-west-1.api.aws/${ID}`,
  `arn:aws-cn:iam::111122223333:oidc-provider/oidc.eks.cn-north-1.amazonaws.com.cn/${ID}`,
  `arn:aws-us-gov:iam::111122223333:oidc-provider/oidc.eks.us-gov-west-1.amazonaws.com/${ID}`,
])("%s is of EKS", (oidcIssuer) => {
  expect(identityOf(irsa({ oidcIssuer }))).toMatchObject({ value: { by: "irsa" } });
});

test("a cluster's provider in IAM stands for its issuer", () => {
  expect(identityOf(irsa({ oidcIssuer: PROVIDER }))).toEqual({
    kind: "eks",
    value: {
      by: "irsa",
      webIdentity: {
        issuer: ISSUER,
        audience: "sts.amazonaws.com",
        subjects: ["system:serviceaccount:shop:user-service"],
        newProvider: false,
        providerAccount: "111122223333",
      },
    },
  });
});

test.each<[object, string, string]>([
  [github({ branch: "main" }), "repo:acme/orders:ref:refs/heads/main", "sts.amazonaws.com"],
  [github({ tag: "v1.0" }), "repo:acme/orders:ref:refs/tags/v1.0", "sts.amazonaws.com"],
  [github({ pullRequest: true }), "repo:acme/orders:pull_request", "sts.amazonaws.com"],
  [
    github({ environment: "prod: eu", audience: "mayfly" }),
    "repo:acme/orders:environment:prod%3A eu",
    "mayfly",
  ],
  [
    github({ repository: "acme@12/orders@34", branch: "release/1" }),
    "repo:acme@12/orders@34:ref:refs/heads/release/1",
    "sts.amazonaws.com",
  ],
  [
    gitlab({ branch: "main" }),
    "project_path:acme/shop/orders:ref_type:branch:ref:main",
    "https://gitlab.com",
  ],
  [
    gitlab({ tag: "v1", issuer: "https://git.example.com" }),
    "project_path:acme/shop/orders:ref_type:tag:ref:v1",
    "https://git.example.com",
  ],
])("the subject of a pipeline's jobs, and their audience: %#", (identity, subject, audience) => {
  expect(identityOf(identity)?.value).toMatchObject({ subjects: [subject], audience });
});

test("two consumers of one service account are refused: EKS gives it one role", () => {
  const { consumers, databases } = withConsumer({});
  const pod = { ...consumers.app, newRole: undefined, ...pods({}) };
  const second = {
    ...pod,
    ...pods({ serviceAccount: undefined, serviceAccounts: ["x", "user-service"] }),
  };
  expect(problemsOf({ databases, consumers: { app: pod, second } })).toEqual([
    'consumers.second.eks: the service account main/shop/user-service is consumer "app" already, and EKS gives it one role; write the roles of both in one consumer',
  ]);
  const elsewhere = { ...pod, ...pods({ cluster: "other" }) };
  expect(problemsOf({ databases, consumers: { app: pod, elsewhere } })).toEqual([]);
});
