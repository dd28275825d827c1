import { AwsSolutionsChecks } from "cdk-nag";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type MayflyConfig, parseConfig } from "../../config/config.ts";
import { MayflyStack } from "../../lib/index.ts";
import { host } from "../config/sample-config.ts";
import { type Cell, cellsOf, privilegesIn, sorted, unexpected } from "./privileges/matrix.ts";
import { allowed, inVpc } from "./privileges/shipped.ts";
import { unexplained } from "./privileges/stars.ts";
import { type Principal, worldOf } from "./privileges/world.ts";
import { ACCOUNT, REGION, Resolved } from "./resolved.ts";
import { ofType, resourcesOf, Workbench } from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const EKS = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
const GITHUB = "token.actions.githubusercontent.com";
const KUBERNETES = "k8s.example.com/cluster";
const ANCHOR = `arn:aws:rolesanywhere:${REGION}:${ACCOUNT}:trust-anchor/01234567-89ab-cdef-0123-456789abcdef`;
const roles = ["orders/ro"];

/** One consumer of each kind for which the stack makes a role. */
const CONSUMERS: MayflyConfig["consumers"] = {
  irsa: { eks: { oidcIssuer: `https://${EKS}`, namespace: "shop", serviceAccount: "api" }, roles },
  pods: { eks: { cluster: "main", namespace: "shop", serviceAccount: "web" }, roles },
  task: { ecs: true, roles },
  instance: { ec2: true, roles },
  reports: { lambda: { functionName: "reports" }, roles },
  deploy: { github: { repository: "acme/orders", branch: "main" }, roles },
  migrate: { gitlab: { project: "acme/orders", tag: "v1" }, roles },
  kubernetes: {
    oidc: {
      issuer: `https://${KUBERNETES}`,
      subject: "system:serviceaccount:shop:api",
      audience: "mayfly",
    },
    roles,
  },
  machine: { rolesAnywhere: { trustAnchorArn: ANCHOR, commonName: "db.corp" }, roles },
  shell: { newRole: { assumedBy: "account" }, roles },
};
const NAMES = Object.keys(CONSUMERS);

const stack = new MayflyStack(bench.app(), "Mayfly", {
  config: parseConfig({ databases: { orders: host }, consumers: CONSUMERS }),
  assets: bench.assets,
  env: { account: ACCOUNT, region: REGION },
});
const resources = resourcesOf(stack);
const world = worldOf(resources, new Resolved(resources));

type Context = Readonly<Record<string, string>>;

const principal = (arn: string, context: Context = {}): Principal => ({
  name: arn,
  arn,
  statements: [],
  context,
});
const service = (word: string, context?: Context) => principal(`${word}.amazonaws.com`, context);
/** A token of an issuer, with these claims. */
const token = (issuer: string, claims: Context): Principal =>
  principal(
    `arn:aws:iam::${ACCOUNT}:oidc-provider/${issuer}`,
    Object.fromEntries(Object.entries(claims).map(([name, value]) => [`${issuer}:${name}`, value])),
  );
const pod = (cluster: string, namespace: string, account: string): Principal =>
  service("pods.eks", {
    "aws:RequestTag/eks-cluster-arn": `arn:aws:eks:${REGION}:${ACCOUNT}:cluster/${cluster}`,
    "aws:RequestTag/kubernetes-namespace": namespace,
    "aws:RequestTag/kubernetes-service-account": account,
  });
const certificate = (anchor: string, commonName: string): Principal =>
  service("rolesanywhere", {
    "aws:SourceArn": anchor,
    "aws:PrincipalTag/x509Subject/CN": commonName,
  });
const task = (account: string): Principal =>
  service("ecs-tasks", {
    "aws:SourceAccount": account,
    "aws:SourceArn": `arn:aws:ecs:${REGION}:${account}:task/main/0123`,
  });

const EKS_AUD = "sts.amazonaws.com";
const API = "system:serviceaccount:shop:api";
const MAIN = "repo:acme/orders:ref:refs/heads/main";
const V1 = "project_path:acme/orders:ref_type:tag:ref:v1";

/** Whose role each may take: the name of one consumer, or nobody's. */
const TAKES: readonly (readonly [string, Principal, string | undefined])[] = [
  ["IRSA: the service account", token(EKS, { sub: API, aud: EKS_AUD }), "irsa"],
  ["IRSA: another service account", token(EKS, { sub: `${API}2`, aud: EKS_AUD }), undefined],
  ["IRSA: another audience", token(EKS, { sub: API, aud: "other" }), undefined],
  ["IRSA: no audience", token(EKS, { sub: API }), undefined],
  [
    "IRSA: another cluster",
    token(EKS.replace("0123", "9999"), { sub: API, aud: EKS_AUD }),
    undefined,
  ],
  ["Pod Identity: the service account", pod("main", "shop", "web"), "pods"],
  ["Pod Identity: another cluster", pod("other", "shop", "web"), undefined],
  ["Pod Identity: another namespace", pod("main", "default", "web"), undefined],
  ["Pod Identity: another service account", pod("main", "shop", "api"), undefined],
  ["Pod Identity: no tags", service("pods.eks"), undefined],
  ["ECS: a task of the account", task(ACCOUNT), "task"],
  ["ECS: a task of another account", task("999999999999"), undefined],
  ["EC2", service("ec2"), "instance"],
  ["Lambda", service("lambda"), "reports"],
  ["GitHub: the branch", token(GITHUB, { sub: MAIN, aud: EKS_AUD }), "deploy"],
  ["GitHub: another branch", token(GITHUB, { sub: `${MAIN}2`, aud: EKS_AUD }), undefined],
  [
    "GitHub: another repository",
    token(GITHUB, { sub: MAIN.replace("acme/orders", "acme/other"), aud: EKS_AUD }),
    undefined,
  ],
  ["GitHub: another audience", token(GITHUB, { sub: MAIN, aud: "other" }), undefined],
  ["GitLab: the tag", token("gitlab.com", { sub: V1, aud: "https://gitlab.com" }), "migrate"],
  [
    "GitLab: another tag",
    token("gitlab.com", { sub: `${V1}.1`, aud: "https://gitlab.com" }),
    undefined,
  ],
  ["OIDC: the subject", token(KUBERNETES, { sub: API, aud: "mayfly" }), "kubernetes"],
  ["OIDC: another audience", token(KUBERNETES, { sub: API, aud: EKS_AUD }), undefined],
  ["Roles Anywhere: the certificate", certificate(ANCHOR, "db.corp"), "machine"],
  ["Roles Anywhere: another name", certificate(ANCHOR, "web.corp"), undefined],
  ["Roles Anywhere: another anchor", certificate(`${ANCHOR}0`, "db.corp"), undefined],
];

const roleOf = (consumer: string): string => `consumer${consumer}`;
const ASSUMING = ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"];

/** The consumers whose role a principal may take. */
const takenIn = (cells: readonly Cell[]): readonly string[] =>
  cells
    .filter(({ attempt, decision }) => decision === "Allowed" && ASSUMING.includes(attempt.name))
    .map(({ target }) => target.name)
    .filter((name) => name.startsWith("consumer"));

const all: Cell[] = [];
beforeAll(async () => {
  for (const each of world.roles) all.push(...(await cellsOf(each, world)));
  for (const [, each] of TAKES) all.push(...(await cellsOf(each, world)));
  all.push(...(await cellsOf(allowed("administrator", "*"), world)));
});

describe("the role of a consumer", () => {
  test.each(NAMES)("of kind %s may invoke its own alias, and nothing else", (name) => {
    const own = all.filter(({ principal: { name: by } }) => by === roleOf(name));
    expect(own.length).toBeGreaterThan(100);
    const invoke = { "lambda:InvokeFunction": [`alias ${name}--ro`] };
    // Lambda connects the function to a VPC with this role
    const connect = name === "reports" ? inVpc : {};
    expect(privilegesIn(own)).toEqual(sorted({ ...invoke, ...connect }));
  });

  test.each(TAKES)("%s", async (_, by, consumer) => {
    const expected = consumer === undefined ? [] : [roleOf(consumer)];
    expect(takenIn(await cellsOf(by, world))).toEqual(expected);
  });

  test("is taken by an administrator of the account only if its trust is the account", async () => {
    const cells = await cellsOf(allowed("administrator", "*"), world);
    expect(takenIn(cells)).toEqual([roleOf("shell")]);
  });

  test("has no permission, and no trust, that is not tried here", async () => {
    const ids = ofType(resources, "AWS::IAM::Role").map(([id]) => id);
    expect(ids.filter((id) => id.startsWith("consumer"))).toHaveLength(NAMES.length);
    const ours = (await unexpected(world, all)).filter((each) => each.startsWith("consumer"));
    // Roles Anywhere names the certificate in the session; Lambda writes the function's own log
    const explained = /sts:SetSourceIdentity|logs:\w+ on \S+:\/aws\/lambda\/reports(?::|$)/;
    expect(ours.filter((each) => !explained.test(each))).toEqual([]);
  });

  test("has no * without a reason", async () => {
    expect(await unexplained(resources)).toEqual([]);
  });

  test("has no finding of cdk-nag but for those of a function, which are explained", () => {
    const { violations } = new AwsSolutionsChecks(bench.app()).validateScope(stack);
    const found = violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath = "" }) => `${constructPath} ${ruleName}`),
    );
    const reports = "Mayfly/consumer-reports/DefaultPolicy/Resource AwsSolutions-IAM5";
    const log = "log-group:/aws/lambda/reports:log-stream:*";
    expect(found.filter((each) => each.startsWith("Mayfly/consumer-"))).toEqual([
      // Lambda connects the function to a VPC, and EC2 knows no resources for that
      `${reports}[Resource::*]`,
      // Lambda names the streams of a log at run time
      `${reports}[Resource::arn:<AWS::Partition>:logs:${REGION}:${ACCOUNT}:${log}]`,
    ]);
  });
});
