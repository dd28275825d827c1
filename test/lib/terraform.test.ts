import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Stack } from "aws-cdk-lib";
import { afterAll, describe, expect, test } from "vitest";
import { aliasName, leaseVariable } from "../../core/names.ts";
import { IrsaRole, PodIdentityRole } from "../../lib/index.ts";
import { evaluate, type Hcl, parseHcl, type Scope } from "../support/hcl.ts";
import { ofType, only, READONLY, resourcesOf, Workbench } from "./synthesized.ts";

const ROOT = join(import.meta.dirname, "../..");
const EXAMPLES = join(ROOT, "examples", "terraform");

const textsIn = (folder: string): string[] =>
  readdirSync(join(EXAMPLES, folder))
    .filter((file) => file.endsWith(".tf"))
    .map((file) => readFileSync(join(EXAMPLES, folder, file), "utf8"));

type Blocks = Readonly<Record<string, Readonly<Record<string, readonly Hcl[]>>>>;

const consumer = parseHcl(textsIn("consumer").join("\n"));
const resources = consumer.resource as Blocks;
const variables = consumer.variable as Readonly<Record<string, readonly [Hcl]>>;

const HERE = { account: "111122223333", region: "eu-west-1" };
const IRSA = {
  oidc_issuer: "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
  namespace: "shop",
  service_accounts: ["api", "worker"],
};
const PODS = { cluster: "main", namespace: "shop", service_accounts: ["api", "worker"] };

/** A scope of the module with these variables. Only locals without resources can be read. */
function moduleWith(given: Readonly<Record<string, unknown>>): Scope {
  const defaults = Object.entries(variables).map(([name, [block]]) => [name, block.default]);
  const [locals] = consumer.locals as readonly [Hcl];
  const scope: Record<string, unknown> = {
    var: { ...Object.fromEntries(defaults), consumer: "app", ...given },
    data: {
      aws_caller_identity: { current: { account_id: HERE.account } },
      aws_partition: { current: { partition: "aws", dns_suffix: "amazonaws.com" } },
      aws_region: { current: { region: HERE.region } },
    },
  };
  scope.local = {
    account: evaluate(locals.account, scope),
    aliases: evaluate(locals.aliases, scope),
    partition: evaluate(locals.partition, scope),
    region: evaluate(locals.region, scope),
  };
  return scope;
}

/** Arguments that refer to other resources, and to the one of several. */
const OF_OTHERS = ["role", "role_arn", "service_account"];

/** One resource of the module, without what only Terraform knows. */
function resource(type: string, name: string, scope: Scope): Readonly<Record<string, unknown>> {
  const [block] = resources[type]?.[name] ?? [];
  const known = Object.entries(block ?? {}).filter(([key]) => !OF_OTHERS.includes(key));
  return evaluate(Object.fromEntries(known), scope) as Readonly<Record<string, unknown>>;
}

/** Whether the validations of a variable hold. */
const holds = (name: string, scope: Scope): boolean =>
  ((variables[name]?.[0].validation ?? []) as readonly Hcl[]).every(
    ({ condition }) => evaluate(condition, scope) === true,
  );

/** A policy with its lists sorted, and without lists of one. */
const plain = (policy: unknown): unknown =>
  JSON.parse(JSON.stringify(policy), (_, value: unknown) => {
    if (!Array.isArray(value)) return value;
    const sorted = [...value].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    return sorted.length === 1 ? sorted[0] : sorted;
  });

const bench = new Workbench();
afterAll(() => bench.remove());

describe("the module for consumers makes what the constructs make", () => {
  test("a role for pods by IRSA", () => {
    const stack = bench.stackIn(HERE);
    new IrsaRole(stack, "Role", {
      oidcIssuer: IRSA.oidc_issuer,
      namespace: IRSA.namespace,
      serviceAccounts: IRSA.service_accounts,
    });
    const [, { Properties }] = only(resourcesOf(stack), "AWS::IAM::Role");
    const role = resource("aws_iam_role", "irsa", moduleWith({ irsa: IRSA }));
    expect(role.count).toBe(1);
    expect(plain(role.assume_role_policy)).toEqual(
      plain(resolved(stack, Properties.AssumeRolePolicyDocument)),
    );
  });

  test("a role for pods by Pod Identity, and its associations", () => {
    const stack = bench.stackIn(HERE);
    new PodIdentityRole(stack, "Role", {
      cluster: PODS.cluster,
      namespace: PODS.namespace,
      serviceAccounts: PODS.service_accounts,
    });
    const made = resourcesOf(stack);
    const [, { Properties }] = only(made, "AWS::IAM::Role");
    const scope = moduleWith({ pod_identity: PODS });
    const role = resource("aws_iam_role", "pod_identity", scope);
    expect(role.count).toBe(1);
    expect(plain(role.assume_role_policy)).toEqual(
      plain(resolved(stack, Properties.AssumeRolePolicyDocument)),
    );
    const associations = ofType(made, "AWS::EKS::PodIdentityAssociation").map(
      ([, each]) => each.Properties,
    );
    const { for_each, cluster_name, namespace } = resource(
      "aws_eks_pod_identity_association",
      "this",
      scope,
    );
    expect(associations).toEqual(
      (for_each as string[]).map((account) =>
        expect.objectContaining({
          ClusterName: cluster_name,
          Namespace: namespace,
          ServiceAccount: account,
        }),
      ),
    );
  });

  test("a policy on its aliases alone, and the variables that name them", () => {
    const stack = bench.stackIn(HERE);
    const role = new IrsaRole(stack, "App", {
      oidcIssuer: IRSA.oidc_issuer,
      namespace: "shop",
      serviceAccount: "api",
    });
    const database = bench.database({}, stack);
    const grants = ["readonly", "read-write"].map((name) =>
      database.addRole(name, READONLY).addConsumer("app", role),
    );
    const made = resourcesOf(stack);
    const [, policy] = only(made, "AWS::IAM::Policy", "InvokeMayfly");
    const [alias = ""] = grants.map(({ aliasArn }) => String(resolved(stack, aliasArn)));
    const orders = alias.replace(`:${aliasName("app", "readonly")}`, "");
    const scope = moduleWith({
      issuer_arns: { orders },
      roles: ["orders/readonly", "orders/read-write"],
    });
    const leases = resource("aws_iam_role_policy", "leases", scope);
    expect(leases.count).toBe(1);
    expect(plain(leases.policy)).toEqual(plain(resolved(stack, policy.Properties.PolicyDocument)));
    const [environment] = (consumer.output as Readonly<Record<string, readonly [Hcl]>>)
      .environment ?? [{ value: undefined }];
    expect(evaluate(environment.value, scope)).toEqual(
      Object.fromEntries(
        grants.map(({ variable, aliasArn }) => [variable, resolved(stack, aliasArn)]),
      ),
    );
    expect(grants.map(({ variable }) => variable)).toContain(leaseVariable("orders/read-write"));
  });

  test("read access to its secrets alone, and to their keys through Secrets Manager", () => {
    const secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/reports-AbCdEf";
    const key = "arn:aws:kms:eu-west-1:111122223333:key/0d5a1b1e-0000-4000-8000-000000000000";
    const scope = moduleWith({ secret_arns: [secret], secret_key_arns: [key] });
    const policyOf = (name: string) => plain(resource("aws_iam_role_policy", name, scope).policy);
    expect(policyOf("secrets")).toEqual(
      plain({
        Version: "2012-10-17",
        Statement: {
          Effect: "Allow",
          Action: ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
          Resource: secret,
        },
      }),
    );
    expect(policyOf("secret_keys")).toEqual({
      Version: "2012-10-17",
      Statement: {
        Effect: "Allow",
        Action: "kms:Decrypt",
        Resource: key,
        Condition: { StringEquals: { "kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com" } },
      },
    });
  });

  test("no policy where the stack attaches its own, or there is nothing to allow", () => {
    const names = Object.keys(resources.aws_iam_role_policy ?? {});
    expect(names).toHaveLength(3);
    const wanted = {
      roles: ["orders/readonly"],
      issuer_arns: { orders: "arn" },
      secret_arns: ["arn"],
      secret_key_arns: ["arn"],
    };
    const counts = (given: object): unknown[] =>
      names.map((name) => {
        const [block] = resources.aws_iam_role_policy?.[name] ?? [];
        return evaluate(block?.count, moduleWith({ ...given }));
      });
    expect(counts(wanted)).toEqual([1, 1, 1]);
    expect(counts({ ...wanted, attach_policy: false })).toEqual([0, 0, 0]);
    expect(counts({})).toEqual([0, 0, 0]);
  });
});

describe("the module refuses", () => {
  test.each([
    ["irsa", { irsa: { ...IRSA, namespace: "*" } }],
    ["irsa", { irsa: { ...IRSA, service_accounts: ["api", "a?i"] } }],
    ["irsa", { irsa: { ...IRSA, service_accounts: [] } }],
    ["pod_identity", { pod_identity: { ...PODS, cluster: "*" } }],
    ["pod_identity", { pod_identity: { ...PODS, namespace: "${aws:PrincipalArn}" } }],
    ["existing_role_name", {}],
    ["existing_role_name", { irsa: IRSA, existing_role_name: "app" }],
    ["consumer", { consumer: "App" }],
    ["consumer", { consumer: "a-name-that-is-too-long" }],
    ["roles", { roles: ["readonly"] }],
    ["issuer_arns", { issuer_arns: { orders: "arn:aws:lambda:eu-west-1:1:function:x:alias" } }],
    ["secret_key_arns", { secret_key_arns: ["*"] }],
    ["irsa", { irsa: { ...IRSA, oidc_issuer: "https://oidc.eks.eu-west-1.evil.example/id/0" } }],
    ["secret_arns", { secret_arns: ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:*"] }],
  ])("%s %j", (name, given) => {
    expect(holds(name, moduleWith(given))).toBe(false);
  });

  test("nothing that is right", () => {
    const arn = "arn:aws:lambda:eu-west-1:111122223333:function:mayfly-Mayfly-ab12-issuer";
    for (const kind of [{ irsa: IRSA }, { pod_identity: PODS }, { existing_role_name: "app" }]) {
      const scope = moduleWith({
        ...kind,
        roles: ["orders/readonly"],
        issuer_arns: { orders: arn },
        secret_arns: ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/a-AbCdEf"],
        secret_key_arns: ["arn:aws:kms:eu-west-1:111122223333:key/mrk-0b9a5ae0c8f111f09a44"],
      });
      for (const name of Object.keys(variables))
        expect([name, holds(name, scope)]).toEqual([name, true]);
    }
  });
});

test.each(["one-account", "two-accounts"])(
  "%s uses the module's own variables and outputs",
  (folder) => {
    const example = parseHcl(textsIn(folder).join("\n"));
    const modules = Object.values(example.module as Readonly<Record<string, readonly [Hcl]>>);
    expect(modules.length).toBeGreaterThan(0);
    for (const [{ source, ...given }] of modules) {
      expect(source).toBe("../consumer");
      expect(Object.keys(variables)).toEqual(expect.arrayContaining(Object.keys(given)));
      const needed = Object.entries(variables).filter(([, [block]]) => !("default" in block));
      expect(Object.keys(given)).toEqual(expect.arrayContaining(needed.map(([name]) => name)));
      // a role of another account gets its policy from nobody else
      expect(given.attach_policy).toBe(folder === "two-accounts" ? undefined : false);
    }
    const outputs = [...JSON.stringify(example).matchAll(/module\.\w+\.(\w+)/g)].map(
      ([, name]) => name,
    );
    expect(Object.keys(consumer.output as Hcl)).toEqual(expect.arrayContaining(outputs));
  },
);

test("a lease for a run asks the issuer as its contract says, and no other resource keeps the answer", () => {
  const lease = parseHcl(textsIn("lease").join("\n"));
  const [invocation] = (lease.ephemeral as Blocks).aws_lambda_invocation?.lease ?? [];
  expect(invocation?.qualifier).toBe(aliasName("terraform", "readonly"));
  const payload = String(invocation?.payload).replace("plantimestamp()", '"2026-12-01T09:00:00Z"');
  expect(evaluate(payload, {})).toEqual({
    action: "issue",
    idempotencyKey: "terraform-2026-12-01T09:00:00Z",
    ttlSeconds: 3_600,
  });
  const page = readFileSync(join(ROOT, "docs", "terraform.md"), "utf8");
  const blocks = [...page.matchAll(/^```hcl\n(.*?)^```$/gms)].map(([, text = ""]) =>
    parseHcl(text),
  );
  const shown = blocks.find((each) => each.ephemeral !== undefined) ?? {};
  expect(shown.locals).toEqual(lease.locals);
  expect((shown.provider as Hcl).postgresql).toEqual((lease.provider as Hcl).postgresql);
  const [written] = (shown.ephemeral as Blocks).aws_lambda_invocation?.lease ?? [];
  const withoutSpaces = (block: Hcl | undefined): string =>
    JSON.stringify(block).replaceAll(/ |#[^\\]+\\n|\\n/g, "");
  expect(withoutSpaces(written)).toBe(withoutSpaces(invocation));
  for (const each of [lease, ...blocks])
    for (const kind of ["data", "resource"])
      expect(Object.keys((each[kind] ?? {}) as object)).not.toContain("aws_lambda_invocation");
});

/** A value with what CloudFormation knows. */
function resolved(stack: Stack, value: unknown): unknown {
  const known = stack.resolve(value);
  return JSON.parse(JSON.stringify(known), (_, each: unknown) => {
    if (typeof each !== "object" || each === null) return each;
    const { Ref, "Fn::Join": join_ } = each as { Ref?: string; "Fn::Join"?: [string, string[]] };
    if (Ref === "AWS::Partition") return "aws";
    return join_ === undefined ? each : join_[1].join(join_[0]);
  });
}
