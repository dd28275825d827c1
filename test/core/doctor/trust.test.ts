import { describe, expect, test } from "vitest";
import { readEvidence } from "../../../bin/doctor/evidence/read-evidence.ts";
import type { Finding } from "../../../core/doctor/finding.ts";
import type { IdentityFacts } from "../../../core/doctor/identity/identity-facts.ts";
import { lookAtIdentity } from "../../../core/doctor/identity/look-at-identity.ts";
import {
  CLUSTER,
  INSTANCE,
  IRSA,
  IRSA_FILES,
  ISSUER,
  POD_IDENTITY,
  PROVIDER,
  ROLE,
  SUBJECT,
} from "./healthy.ts";

/** Trust policies as AWS has them, read as the doctor reads them. */

const STS = "sts.amazonaws.com";
const [SUB, AUD] = [`${ISSUER}:sub`, `${ISSUER}:aud`];
const NAMESPACE = "aws:RequestTag/kubernetes-namespace";
const ACCOUNT = "aws:RequestTag/kubernetes-service-account";
const ARN = "aws:RequestTag/eks-cluster-arn";

type Statement = Readonly<Record<string, unknown>>;
const forToken = (Condition: object, more: Statement = {}): Statement => ({
  Effect: "Allow",
  Principal: { Federated: PROVIDER },
  Action: "sts:AssumeRoleWithWebIdentity",
  Condition,
  ...more,
});
const forPods = (Condition: object, more: Statement = {}): Statement => ({
  Effect: "Allow",
  Principal: { Service: "pods.eks.amazonaws.com" },
  Action: ["sts:AssumeRole", "sts:TagSession"],
  Condition,
  ...more,
});
const EXACT = forToken({ StringEquals: { [SUB]: SUBJECT, [AUD]: STS } });
const POD = { [NAMESPACE]: "shop", [ACCOUNT]: "user-service", [ARN]: CLUSTER.arn };
const PODS = forPods({ StringEquals: POD });
const BILLING = { ...POD, [NAMESPACE]: "billing", [ACCOUNT]: "invoices" };
const DENY = { Effect: "Deny" };

async function findingsOf(
  facts: IdentityFacts,
  statements: readonly Statement[],
): Promise<readonly Finding[]> {
  const role = { Role: { Arn: ROLE, AssumeRolePolicyDocument: { Statement: statements } } };
  const { trust } = await readEvidence(new Map([["role.json", JSON.stringify(role)]]));
  if (trust === undefined) throw new Error("no trust policy was read");
  return lookAtIdentity({ ...facts, trust });
}

const inWords = (findings: readonly Finding[]): readonly string[] =>
  findings
    .filter(({ verdict }) => verdict !== "ok")
    .map(({ verdict, check, evidence }) => `${verdict} ${check}: ${evidence}`);
const stepsIn = (findings: readonly Finding[]): string =>
  findings.map(({ fix }) => (fix?.kind === "step" ? fix.text : "")).join("\n");

/** From files: whether it works is not known. */
const { caller: _caller, container: _container, ...POD_FILES } = POD_IDENTITY;

describe("a statement that denies", () => {
  test.each<[string, IdentityFacts, IdentityFacts, Statement, Statement, RegExp | undefined]>([
    [
      "calls without TLS: STS is never called so",
      IRSA_FILES,
      IRSA,
      EXACT,
      forToken({ Bool: { "aws:SecureTransport": false } }, DENY),
      undefined,
    ],
    [
      "calls without TLS, of everybody",
      POD_FILES,
      POD_IDENTITY,
      PODS,
      forPods({ Bool: { "aws:SecureTransport": "false" } }, { ...DENY, Principal: "*" }),
      undefined,
    ],
    [
      "calls from elsewhere is not decided",
      IRSA_FILES,
      IRSA,
      EXACT,
      forToken({ StringNotEquals: { "aws:SourceVpc": "vpc-1" } }, DENY),
      /^unknown trust-conditions: .*StringNotEquals aws:SourceVpc vpc-1$/,
    ],
    [
      "pods from elsewhere is not decided",
      POD_FILES,
      POD_IDENTITY,
      PODS,
      forPods({ StringNotEquals: { "aws:SourceVpc": "vpc-1" } }, DENY),
      /^unknown pod-identity-trust: .*StringNotEquals aws:SourceVpc vpc-1$/,
    ],
    [
      "everybody else does not deny the workload",
      IRSA_FILES,
      IRSA,
      EXACT,
      forToken({ StringNotEquals: { [SUB]: SUBJECT } }, DENY),
      undefined,
    ],
    [
      "all other namespaces does not deny the workload",
      POD_FILES,
      POD_IDENTITY,
      PODS,
      forPods({ StringNotEquals: { [NAMESPACE]: ["shop", "billing"] } }, DENY),
      undefined,
    ],
    [
      "all principals but some is not decided",
      IRSA_FILES,
      IRSA,
      EXACT,
      { Effect: "Deny", NotPrincipal: { Federated: PROVIDER }, Action: "*" },
      /^unknown trust-conditions: .*NotPrincipal/,
    ],
    [
      "the workload",
      IRSA_FILES,
      IRSA,
      EXACT,
      forToken({ StringLike: { [SUB.toUpperCase()]: "system:serviceaccount:shop:*" } }, DENY),
      /^broken trust-provider: a statement of its trust policy denies .* to this token: StringLike/,
    ],
    [
      "the pod",
      POD_FILES,
      POD_IDENTITY,
      PODS,
      forPods({ StringEquals: { [NAMESPACE]: "shop" } }, DENY),
      /^broken pod-identity-trust: a statement of its trust policy denies/,
    ],
  ])("%s", async (_, files, working, allowing, denying, shows) => {
    const findings = await findingsOf(files, [allowing, denying]);
    const others = inWords(findings).filter((each) => !each.includes("the principal *"));
    expect(others).toHaveLength(shows === undefined ? 0 : 1);
    expect(others.join("\n")).toMatch(shows ?? /^$/);
    expect(stepsIn(findings)).not.toMatch(/remove|delete/i);
    expect(inWords(await findingsOf(working, [allowing, denying]))).toEqual([]);
  });
});

describe("what lets in too much is said, with the condition to write", () => {
  const own = `${SUB}":"${SUBJECT}","${AUD}":"${STS}"`;
  test.each<[string, readonly Statement[], string]>([
    ["StringLike *", [forToken({ StringLike: { [SUB]: "*" }, StringEquals: { [AUD]: STS } })], own],
    [
      "a pattern for every service account",
      [
        forToken({
          StringLike: { [SUB]: "system:serviceaccount:*" },
          StringEquals: { [AUD]: STS },
        }),
      ],
      own,
    ],
    ["a further statement without a condition", [EXACT, forToken({})], own],
    ["everybody", [EXACT, { Effect: "Allow", Principal: "*", Action: "sts:AssumeRole" }], own],
    [
      "everybody, as AWS",
      [EXACT, forToken({ StringLike: { [SUB]: "*" } }, { Principal: { AWS: "*" } })],
      own,
    ],
    [
      "ForAllValues, which takes no value too",
      [forToken({ "ForAllValues:StringEquals": { [SUB]: SUBJECT, [AUD]: STS } })],
      own,
    ],
    ["IfExists", [forToken({ StringEqualsIfExists: { [SUB]: SUBJECT, [AUD]: STS } })], own],
    [
      "everybody but one",
      [forToken({ StringNotEquals: { [SUB]: "other" }, StringEquals: { [AUD]: STS } })],
      own,
    ],
    [
      "another issuer's every token",
      [
        EXACT,
        forToken(
          { StringEquals: { "token.actions.githubusercontent.com:aud": STS } },
          {
            Principal: {
              Federated: PROVIDER.replace(ISSUER, "token.actions.githubusercontent.com"),
            },
          },
        ),
      ],
      "token.actions.githubusercontent.com:sub",
    ],
  ])("IRSA: %s", async (_, statements, condition) => {
    const findings = await findingsOf(IRSA, statements);
    expect(new Set(inWords(findings).map((each) => each.split(":")[0]))).toEqual(
      new Set(["warning trust-excess"]),
    );
    expect(stepsIn(findings)).toContain(condition);
  });

  test.each<[string, readonly Statement[]]>([
    ["no condition", [forPods({})]],
    ["any namespace", [forPods({ StringLike: { ...POD, [NAMESPACE]: "*" } })]],
    ["no service account", [forPods({ StringEquals: { [NAMESPACE]: "shop" } })]],
    ["all namespaces but one", [forPods({ StringNotEquals: { [NAMESPACE]: "kube-system" } })]],
    ["a further statement", [PODS, forPods({})]],
  ])("EKS Pod Identity: %s", async (_, statements) => {
    const findings = await findingsOf(POD_IDENTITY, statements);
    expect(inWords(findings)).toEqual([
      expect.stringMatching(/^warning trust-excess: .*pods\.eks/),
    ]);
    expect(stepsIn(findings)).toContain(`{"StringEquals":${JSON.stringify(POD)}}`);
  });
});

test("a subject of what lets in too much is one claim or principal", async () => {
  const findings = await findingsOf(IRSA, [
    EXACT,
    forToken({ StringEquals: { [AUD]: STS } }),
    { Effect: "Allow", Principal: "*", Action: "sts:AssumeRole" },
  ]);
  expect(findings.filter(({ verdict }) => verdict !== "ok").map(({ subject }) => subject)).toEqual([
    `${ROLE}: ${ISSUER} sub`,
    `${ROLE}: *`,
  ]);
});

describe("no alarm for a policy that fits", () => {
  const upper = (conditions: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(conditions).map(([key, value]) => [key.toUpperCase(), value]),
    );
  test.each<[string, IdentityFacts, readonly Statement[]]>([
    ["two workloads' pods", POD_FILES, [forPods({ StringEquals: BILLING }), PODS]],
    [
      "each action in a statement",
      POD_FILES,
      [
        { ...PODS, Action: "sts:AssumeRole" },
        { ...PODS, Action: "sts:TagSession" },
      ],
    ],
    [
      "ArnEquals takes patterns",
      POD_FILES,
      [
        forPods({
          StringEquals: { [NAMESPACE]: "shop", [ACCOUNT]: "user-service" },
          ArnEquals: { [ARN]: "arn:aws:eks:*:111122223333:cluster/*" },
        }),
      ],
    ],
    [
      "a namespace that it is not",
      POD_FILES,
      [forPods({ StringEquals: POD, StringNotEquals: { [NAMESPACE]: "kube-system" } })],
    ],
    ["keys in another case, of pods", POD_FILES, [forPods({ StringEquals: upper(POD) })]],
    [
      "keys in another case, of a token",
      IRSA_FILES,
      [forToken({ StringEquals: upper({ [SUB]: SUBJECT, [AUD]: STS }) })],
    ],
    [
      "two service accounts",
      IRSA_FILES,
      [forToken({ StringEquals: { [SUB]: "system:serviceaccount:a:b", [AUD]: STS } }), EXACT],
    ],
  ])("%s", async (_, facts, statements) => {
    expect(inWords(await findingsOf(facts, statements))).toEqual([]);
  });

  test("and another workload's statement is not to be overwritten", async () => {
    const findings = await findingsOf(POD_FILES, [forPods({ StringEquals: BILLING })]);
    expect(stepsIn(findings)).toContain("if the statement is another workload's, leave it and add");
    expect(stepsIn(findings)).toContain(JSON.stringify(POD));
  });

  test("and an ARN of another account does not fit a pattern", async () => {
    const findings = await findingsOf(POD_FILES, [
      forPods({ StringEquals: POD, ArnLike: { [ARN]: "arn:aws:eks:*:999999999999:*" } }),
    ]);
    expect(inWords(findings)[0]).toMatch(/^broken pod-identity-trust: .*999999999999/);
  });

  test("and a workload that is kept out by name is not let in", async () => {
    const kept = forToken({ StringEquals: { [AUD]: STS }, StringNotEquals: { [SUB]: SUBJECT } });
    expect(inWords(await findingsOf(IRSA_FILES, [kept]))[0]).toMatch(
      /^broken trust-subject: .*wants the sub anything but system:/,
    );
  });
});

describe("the advice is of the workload's own kind", () => {
  const PODS_TRUST = [PODS];
  test("a role of EKS Pod Identity wants an association, and no annotation", async () => {
    const { associations: _, variables: _none, ...manifests } = POD_FILES;
    const pod = { ...manifests.pod, isRunning: false, containers: [] };
    const findings = await findingsOf({ ...manifests, pod }, PODS_TRUST);
    expect(inWords(findings)).toEqual([
      expect.stringMatching(/^unknown pod-identity-association: the role trusts pods\.eks/),
    ]);
    expect(stepsIn(findings)).toContain(`--role-arn ${ROLE}`);
    expect(stepsIn(findings)).not.toContain("annotate");
  });

  test("a role's file alone does not make this machine its instance", async () => {
    const { instance: _, caller: _none, ...machine } = INSTANCE;
    for (const statements of [PODS_TRUST, [EXACT]])
      expect(stepsIn(await findingsOf(machine, statements))).not.toContain("ec2.amazonaws.com");
  });
});

test.each([
  ["%zz", /^--from: role\.json has an AssumeRolePolicyDocument that is no JSON/],
  ["{", /^--from: role\.json has an AssumeRolePolicyDocument that is no JSON/],
])("a trust policy that cannot be read says where it is: %s", async (document, words) => {
  const text = JSON.stringify({ Role: { Arn: ROLE, AssumeRolePolicyDocument: document } });
  await expect(readEvidence(new Map([["role.json", text]]))).rejects.toThrow(words);
});

const BOMB = `a: &a [${"x, ".repeat(99)}x]\n${["b", "c", "d", "e", "f", "g"]
  .map((name, at) => `${name}: &${name} [${`*${"abcdef"[at]}, `.repeat(99)}x]`)
  .join("\n")}\n`;

test.each(['{"kind": "constructor"}', "kind: __proto__"])(
  "another kind of Kubernetes says nothing: %s",
  async (text) => {
    expect(await readEvidence(new Map([["x", text]]))).toEqual({});
  },
);

test.each([
  [BOMB, /^--from: x has YAML aliases/],
  ["kind: *nothing", /^--from: x /],
])("a document that nobody printed is refused with its file's name: %#", async (text, words) => {
  await expect(readEvidence(new Map([["x", text]]))).rejects.toThrow(words);
});
