import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DoctorPorts } from "../../../bin/doctor/doctor-ports.ts";
import { readEvidence } from "../../../bin/doctor/evidence/read-evidence.ts";
import { gatherIdentity } from "../../../bin/doctor/identity/gather-identity.ts";
import { systemPorts } from "../../../bin/doctor/system-ports.ts";
import {
  POD_ACTIONS,
  POD_IDENTITY_AUDIENCE,
  PODS_SERVICE,
  STS_AUDIENCE,
  TASKS_SERVICE,
} from "../../../core/aws/workload-identity.ts";
import type { Finding } from "../../../core/doctor/finding.ts";
import { lookAtIdentity } from "../../../core/doctor/identity/look-at-identity.ts";
import { tempFolder } from "../../../local/temp-folder.ts";
import { type BareServices, startServices } from "../../local/bare-services.ts";
import { mayflyHere } from "../../support/mayfly.ts";

/** The command, the SDK's own chain, and services that answer as AWS does. */

const CLUSTER = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
const POD = { namespace: "shop", serviceAccount: "user-service" };
const arnOf = (role: string): string => `arn:aws:iam::123456789012:role/${role}`;
const providerOf = (url: string): string =>
  `arn:aws:iam::123456789012:oidc-provider/${url.replace("https://", "")}`;

let services: BareServices;
let folder: ReturnType<typeof tempFolder>;

const statement = (Principal: object, Action: unknown, Condition?: object) => ({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal, Action, ...(Condition && { Condition }) }],
});

const trusting = (sub: string) => {
  const name = CLUSTER.replace("https://", "");
  return statement({ Federated: providerOf(CLUSTER) }, "sts:AssumeRoleWithWebIdentity", {
    StringEquals: { [`${name}:sub`]: sub, [`${name}:aud`]: STS_AUDIENCE },
  });
};

const TRUSTS: Readonly<Record<string, object>> = {
  irsa: trusting("system:serviceaccount:shop:user-service"),
  wildcard: trusting("system:serviceaccount:shop:*"),
  pod: statement({ Service: PODS_SERVICE }, POD_ACTIONS),
  untagged: statement({ Service: PODS_SERVICE }, "sts:AssumeRole"),
  task: statement({ Service: TASKS_SERVICE }, "sts:AssumeRole"),
};

async function create(type: string, logicalId: string, properties: Record<string, unknown>) {
  await services.resources[type]?.create({
    logicalId,
    type,
    properties,
    physicalName: () => logicalId,
  });
}

beforeAll(async () => {
  folder = tempFolder("doctor");
  services = await startServices();
  services.workloads.cluster("main", CLUSTER);
  services.workloads.addProvider(CLUSTER, [STS_AUDIENCE]);
  for (const [name, AssumeRolePolicyDocument] of Object.entries({
    ...TRUSTS,
    untagged: TRUSTS.pod,
  }))
    await create("AWS::IAM::Role", name, { RoleName: name, AssumeRolePolicyDocument });
  for (const [ServiceAccount, role] of [
    ["user-service", "pod"],
    ["reporting", "untagged"],
  ])
    await create("AWS::EKS::PodIdentityAssociation", `Of${role}`, {
      ClusterName: "main",
      Namespace: "shop",
      ServiceAccount,
      RoleArn: arnOf(String(role)),
    });
  // EKS looks at the policy when the association is made; somebody changed it since
  services.identities.role("untagged").trust = { ...TRUSTS.untagged };
});

afterAll(async () => {
  await services.stop();
  folder.remove();
});

let files = 0;
function fileOf(text: string): string {
  files += 1;
  const path = join(folder.path, `${files}`);
  writeFileSync(path, text);
  return path;
}

const roleFile = (role: string): string =>
  fileOf(
    JSON.stringify({
      Role: { RoleName: role, Arn: arnOf(role), AssumeRolePolicyDocument: TRUSTS[role] },
    }),
  );

const IN_POD = { KUBERNETES_SERVICE_HOST: "10.0.0.1", AWS_EC2_METADATA_DISABLED: "true" };

async function doctor(args: readonly string[], env: Readonly<Record<string, string>>) {
  const { status, out, err } = await mayflyHere(["doctor", "identity", "--json", ...args], {
    AWS_ENDPOINT_URL: services.config.endpoint,
    AWS_REGION: "eu-west-1",
    AWS_CONFIG_FILE: join(folder.path, "none"),
    AWS_SHARED_CREDENTIALS_FILE: join(folder.path, "none"),
    ...env,
  });
  const { findings } = JSON.parse(out) as { readonly findings: readonly Finding[] };
  const wrong = findings.filter(({ verdict }) => verdict !== "ok");
  return { status, out, err, findings, wrong: wrong.map(({ check }) => check) };
}

const irsaEnv = (role: string, token: string) => ({
  ...IN_POD,
  AWS_ROLE_ARN: arnOf(role),
  AWS_WEB_IDENTITY_TOKEN_FILE: fileOf(token),
});

const token = (audience: string = STS_AUDIENCE, seconds?: number, pod = POD): Promise<string> =>
  services.workloads.cluster("main").token(pod, audience, seconds);

const evidenceOf = (findings: readonly Finding[], check: string): string =>
  findings
    .filter((each) => each.check === check)
    .map(({ evidence, fix }) => `${evidence} -> ${fix?.kind === "step" ? fix.text : ""}`)
    .join("\n");

test("IRSA that works is ok, and neither token nor keys are printed", async () => {
  const written = await token();
  const { status, findings, wrong, out, err } = await doctor([], irsaEnv("irsa", written));
  expect(wrong).toEqual([]);
  expect(status).toBe(0);
  expect(findings.map(({ check }) => check)).toEqual(
    expect.arrayContaining(["caller", "credential-source", "token-file", "token-expiry"]),
  );
  expect(out + err).not.toMatch(written.split(".")[2] ?? "");
});

test.each<[string, () => Promise<[Record<string, string>, string[]]>, string, RegExp]>([
  [
    "a sub that the role does not trust, with its trust policy",
    async () => [
      irsaEnv("irsa", await token(STS_AUDIENCE, 600, { ...POD, namespace: "default" })),
      ["--from", roleFile("irsa")],
    ],
    "trust-subject",
    /wants the sub system:serviceaccount:shop:user-service; the token has system:serviceaccount:default:user-service/,
  ],
  [
    "a sub that the role does not trust, without its trust policy",
    async () => [
      irsaEnv("irsa", await token(STS_AUDIENCE, 600, { ...POD, namespace: "default" })),
      [],
    ],
    "trust-subject",
    /Not authorized .* must have the condition .* -> aws iam get-role --role-name irsa/,
  ],
  [
    "a wildcard under StringEquals",
    async () => [irsaEnv("wildcard", await token()), ["--from", roleFile("wildcard")]],
    "trust-wildcard",
    /StringEquals with the pattern/,
  ],
  [
    "a cluster without a provider",
    async () => [
      irsaEnv("irsa", await services.workloads.cluster("other").token(POD, STS_AUDIENCE)),
      [],
    ],
    "oidc-provider",
    /No OpenIDConnect provider found .* -> aws iam create-open-id-connect-provider --url https:/,
  ],
  [
    "an audience that the provider does not let in",
    async () => [irsaEnv("irsa", await token("sts.amazon.com")), []],
    "token-audience",
    /aud is sts\.amazon\.com, not sts\.amazonaws\.com/,
  ],
  [
    "a token of the old kind",
    async () => [
      irsaEnv("irsa", await services.workloads.issuer("kubernetes/serviceaccount").sign({})),
      [],
    ],
    "token-audience",
    /the old token of a service account/,
  ],
  [
    "a token that is over",
    async () => [irsaEnv("irsa", await token(STS_AUDIENCE, -1)), []],
    "token-expiry",
    /the token ended at .* -> mount the token itself/,
  ],
  [
    "a file that is no token",
    async () => [irsaEnv("irsa", "hello"), []],
    "token-file",
    /no JSON Web Token/,
  ],
])("%s is named", async (_, make, check, shows) => {
  const [env, args] = await make();
  const { status, findings, wrong } = await doctor(args, env);
  expect(wrong).toContain(check);
  expect(evidenceOf(findings, check)).toMatch(shows);
  expect(status).toBe(76);
});

const podEnv = (written: string) => ({
  ...IN_POD,
  AWS_CONTAINER_CREDENTIALS_FULL_URI: services.workloads.cluster("main").credentialsUri,
  AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: fileOf(written),
});

/** As the command does it, without the SDK's chain: it tries for three seconds when it is refused. */
async function gathered(
  env: Readonly<Record<string, string>>,
  texts: Readonly<Record<string, string>> = {},
): Promise<readonly Finding[]> {
  const message = "Could not load credentials from any providers";
  const ports: DoctorPorts = {
    ...systemPorts,
    env,
    callerIdentity: async () => ({
      kind: "failed",
      name: "CredentialsProviderError",
      message,
      isNetwork: false,
    }),
  };
  const evidence = await readEvidence(new Map(Object.entries(texts)));
  return lookAtIdentity(await gatherIdentity(ports, evidence, {}));
}

test("EKS Pod Identity that works is ok, and no keys are printed", async () => {
  const fine = await doctor(["--role", arnOf("pod")], podEnv(await token(POD_IDENTITY_AUDIENCE)));
  expect(fine.wrong).toEqual([]);
  expect(fine.status).toBe(0);
  expect(fine.out).not.toMatch(/SecretAccessKey|"Token"/);
});

test("EKS Pod Identity's agent says what is missing", async () => {
  const other = { ...POD, serviceAccount: "other" };
  const none = await gathered(podEnv(await token(POD_IDENTITY_AUDIENCE, 600, other)));
  expect(evidenceOf(none, "pod-identity-association")).toMatch(
    /answers 404: .*ResourceNotFoundException.* -> aws eks create-pod-identity-association/s,
  );
  const reporting = { ...POD, serviceAccount: "reporting" };
  const untagged = await gathered(podEnv(await token(POD_IDENTITY_AUDIENCE, 600, reporting)), {
    "role.json": JSON.stringify({
      Role: { Arn: arnOf("untagged"), AssumeRolePolicyDocument: TRUSTS.untagged },
    }),
  });
  expect(evidenceOf(untagged, "pod-identity-trust")).toMatch(
    /allows pods\.eks\.amazonaws\.com no sts:TagSession/,
  );
  const gone = await gathered({
    ...podEnv("x"),
    AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:1/v1/credentials",
  });
  expect(evidenceOf(gone, "pod-identity-agent")).toMatch(/cannot be reached \(ECONNREFUSED\)/);
});

test("a token is sent to no host that SDKs do not send it to", async () => {
  const written = fileOf("token-of-the-pod");
  const findings = await gathered({
    ...podEnv("x"),
    AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://credentials.example.com/",
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: written,
  });
  expect(evidenceOf(findings, "credential-source")).toMatch(/credentials\.example\.com is neither/);
});

test("an ECS task's role is ok, and another role than the expected one is named", async () => {
  const env = {
    ECS_CONTAINER_METADATA_URI_V4: "http://169.254.170.2/v4/x",
    AWS_CONTAINER_CREDENTIALS_FULL_URI: await services.workloads.startTask("task"),
  };
  expect((await doctor(["--role", arnOf("task")], env)).wrong).toEqual([]);
  const other = await doctor(["--role", arnOf("execution")], env);
  expect(other.wrong).toEqual(["caller"]);
  expect((await doctor([], env)).status).toBe(75);
});

test("keys that stand before the pod's role, and no Region, are named", async () => {
  const keys = { AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY: "very-secret" };
  const { wrong, out, err } = await doctor([], { ...irsaEnv("irsa", await token()), ...keys });
  expect(wrong).toContain("credential-source");
  expect(out + err).not.toMatch(/very-secret|AKIA/);
  const without = await doctor([], { ...irsaEnv("irsa", await token()), AWS_REGION: "" });
  expect(without.wrong).toEqual(["region"]);
});

test("a metadata service that accepts and is silent is told from none", async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as AddressInfo;
  try {
    const findings = await gathered({
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`,
    });
    expect(evidenceOf(findings, "hop-limit")).toMatch(/--http-put-response-hop-limit 2/);
  } finally {
    silent.closeAllConnections();
    silent.close();
  }
});

test("files of kubectl and aws tell as much, and this machine is not asked", async () => {
  const manifest = fileOf(`
apiVersion: v1
kind: ServiceAccount
metadata:
  name: user-service
  namespace: shop
  annotations: { eks.amazonaws.com/role-arn: "${arnOf("wildcard")}" }
---
apiVersion: v1
kind: Pod
metadata: { name: user-service-1, namespace: shop, creationTimestamp: "2026-11-30T08:00:00Z" }
spec:
  serviceAccountName: user-service
  containers:
    - name: app
      env:
        - { name: AWS_ROLE_ARN, value: "${arnOf("wildcard")}" }
        - { name: AWS_WEB_IDENTITY_TOKEN_FILE, value: /var/run/token }
        - { name: AWS_SESSION_TOKEN, value: hush }
`);
  const { wrong, err, out } = await doctor(
    ["--from", manifest, "--from", roleFile("wildcard")],
    {},
  );
  expect(wrong).toEqual(["trust-wildcard"]);
  expect(err).toMatch("this machine's own credentials are not looked at");
  expect(out).not.toMatch("hush");
});

test("what the doctor does not know is said with what it reads", async () => {
  const run = (text: string) =>
    mayflyHere(["doctor", "identity", "--from", fileOf(text)], { AWS_REGION: "eu-west-1" });
  expect(await run('{ "hello": 1 }')).toMatchObject({
    status: 64,
    err: expect.stringMatching(
      /is nothing that the doctor knows; it reads a service account, a pod/,
    ),
  });
  expect((await run("a: [")).err).toMatch("is neither JSON nor YAML (line 1)");
  expect((await mayflyHere(["doctor", "--from", "/no/such"], {})).err).toMatch(
    "cannot read /no/such (ENOENT)",
  );
});
