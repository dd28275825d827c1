import { InvokeCommand } from "@aws-sdk/client-lambda";
import { GetSecretValueCommand } from "@aws-sdk/client-secrets-manager";
import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  GetCallerIdentityCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  POD_ACTIONS,
  POD_IDENTITY_AUDIENCE,
  PODS_SERVICE,
  STS_AUDIENCE,
} from "../../core/aws/workload-identity.ts";
import { type BareServices, startServices } from "./bare-services.ts";
import { clientsOf } from "./clients.ts";

const CLUSTER = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
const GITHUB = "https://token.actions.githubusercontent.com";
const CI = "https://ci.example.com/realm";
const SHOP = { namespace: "shop", serviceAccount: "user-service" };
const REQUEST_TAGS = {
  "aws:RequestTag/eks-cluster-name": "main",
  "aws:RequestTag/kubernetes-namespace": SHOP.namespace,
  "aws:RequestTag/kubernetes-service-account": SHOP.serviceAccount,
};

let services: BareServices;

const statement = (Principal: object, Action: unknown, StringEquals?: object) => ({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Principal, Action, ...(StringEquals && { Condition: { StringEquals } }) },
  ],
});

/** A trust in the tokens of one issuer. */
const tokensOf = (issuer: string, sub: string, aud: string) => {
  const name = issuer.replace("https://", "");
  return statement(
    { Federated: `arn:aws:iam::123456789012:oidc-provider/${name}` },
    "sts:AssumeRoleWithWebIdentity",
    { [`${name}:sub`]: sub, [`${name}:aud`]: aud },
  );
};

const inService = (service: string, conditions?: object) =>
  statement({ Service: service }, "sts:AssumeRole", conditions);

async function create(type: string, logicalId: string, properties: Record<string, unknown>) {
  const resource = { logicalId, type, properties, physicalName: () => logicalId };
  return (await services.resources[type]?.create(resource))?.ref ?? "";
}

const makeRole = (name: string, trust: object, more: object = {}) =>
  create("AWS::IAM::Role", name, { RoleName: name, AssumeRolePolicyDocument: trust, ...more });

const arnOf = (role: string): string => `arn:aws:iam::123456789012:role/${role}`;

const associate = (logicalId: string, role: string, more: object = {}) =>
  create("AWS::EKS::PodIdentityAssociation", logicalId, {
    ClusterName: "main",
    Namespace: SHOP.namespace,
    ServiceAccount: SHOP.serviceAccount,
    RoleArn: arnOf(role),
    ...more,
  });

beforeAll(async () => {
  services = await startServices();
  services.workloads.cluster("main", CLUSTER);
  for (const [id, Url, ClientIdList] of [
    ["Cluster", CLUSTER, [STS_AUDIENCE]],
    ["GitHub", GITHUB, [STS_AUDIENCE]],
    ["Ci", CI, ["mayfly"]],
  ])
    await create("AWS::IAM::OIDCProvider", String(id), { Url, ClientIdList });
  await makeRole(
    "irsa",
    tokensOf(CLUSTER, "system:serviceaccount:shop:user-service", STS_AUDIENCE),
    {
      MaxSessionDuration: 7_200,
    },
  );
  await makeRole("deploy", tokensOf(GITHUB, "repo:acme/orders:ref:refs/heads/main", STS_AUDIENCE));
  await makeRole("build", tokensOf(CI, "job:7", "mayfly"));
  await makeRole("pod", statement({ Service: PODS_SERVICE }, POD_ACTIONS, REQUEST_TAGS));
  await associate("Shop", "pod");
});

afterAll(() => services.stop());

/** A client without credentials. */
const anonymous = () =>
  new STSClient({ endpoint: services.config.endpoint, region: "eu-west-1", maxAttempts: 1 });

const assume = (role: string, WebIdentityToken: string, more: object = {}) =>
  anonymous().send(
    new AssumeRoleWithWebIdentityCommand({
      RoleArn: arnOf(role),
      RoleSessionName: "a-session",
      WebIdentityToken,
      ...more,
    }),
  );

type Keys =
  | { AccessKeyId?: string; SecretAccessKey?: string; SessionToken?: string; Token?: string }
  | undefined;

/** Who these keys are. */
async function callerWith(keys: Keys): Promise<string | undefined> {
  const { sts } = clientsOf(
    { ...services.config, credentialsFor: () => services.config.credentials },
    {
      accessKeyId: keys?.AccessKeyId ?? "",
      secretAccessKey: keys?.SecretAccessKey ?? "",
      sessionToken: keys?.SessionToken ?? keys?.Token ?? "",
    },
  );
  return (await sts.send(new GetCallerIdentityCommand({}))).Arn;
}

describe("a token of an OIDC provider", () => {
  const irsa = (pod = SHOP, audience: string = STS_AUDIENCE, seconds?: number) =>
    services.workloads.cluster("main").token(pod, audience, seconds);
  const github = (sub: string, claims: object = {}) =>
    services.workloads.issuer(GITHUB).sign({ sub, aud: STS_AUDIENCE, ...claims });

  test("gives the role of its service account, without a signature of the request", async () => {
    const answer = await assume("irsa", await irsa());
    expect(answer).toMatchObject({
      AssumedRoleUser: { Arn: "arn:aws:sts::123456789012:assumed-role/irsa/a-session" },
      Audience: STS_AUDIENCE,
      Provider: CLUSTER,
      SubjectFromWebIdentityToken: "system:serviceaccount:shop:user-service",
    });
    expect(await callerWith(answer.Credentials)).toBe(answer.AssumedRoleUser?.Arn);
    const lasts = (answer.Credentials?.Expiration?.getTime() ?? 0) - services.clock.now();
    expect(Math.round(lasts / 60_000)).toBe(60);
  });

  test("gives the role of a job of a CI service", async () => {
    expect(
      await assume("deploy", await github("repo:acme/orders:ref:refs/heads/main")),
    ).toMatchObject({ AssumedRoleUser: { Arn: expect.stringContaining("/deploy/") } });
    const token = await services.workloads.issuer(CI).sign({ sub: "job:7", aud: "mayfly" });
    expect(await assume("build", token)).toMatchObject({ Audience: "mayfly" });
  });

  test("gives the role of a service account of Google, which needs no provider", async () => {
    const google = "accounts.google.com";
    const sub = "100147106996764479085";
    const trust = statement({ Federated: google }, "sts:AssumeRoleWithWebIdentity", {
      [`${google}:aud`]: sub,
      [`${google}:oaud`]: "mayfly",
      [`${google}:sub`]: sub,
    });
    await makeRole("google", trust);
    const tokenFor = (aud: string) =>
      services.workloads.issuer(`https://${google}`).sign({ sub, azp: sub, aud });
    expect(await assume("google", await tokenFor("mayfly"))).toMatchObject({ Audience: "mayfly" });
    await expect(assume("google", await tokenFor("other"))).rejects.toThrow("Not authorized");
  });

  const refusals: readonly (readonly [string, () => Promise<unknown>, string, string])[] = [
    [
      "of another service account",
      async () => assume("irsa", await irsa({ ...SHOP, serviceAccount: "other" })),
      "AccessDenied",
      "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    ],
    [
      "of another namespace",
      async () => assume("irsa", await irsa({ ...SHOP, namespace: "staging" })),
      "AccessDenied",
      "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    ],
    [
      "of another branch",
      async () => assume("deploy", await github("repo:acme/orders:ref:refs/heads/next")),
      "AccessDenied",
      "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    ],
    [
      "of another issuer that the role does not trust",
      async () => assume("irsa", await github("system:serviceaccount:shop:user-service")),
      "AccessDenied",
      "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    ],
    [
      "for a role that does not exist",
      async () => assume("nobody", await irsa()),
      "AccessDenied",
      "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    ],
    [
      "for another audience",
      async () => assume("irsa", await irsa(SHOP, "sts.amazon.com")),
      "InvalidIdentityToken",
      "Incorrect token audience",
    ],
    [
      "of a cluster without a provider",
      async () => assume("irsa", await services.workloads.cluster("other").token(SHOP, "x")),
      "InvalidIdentityToken",
      `No OpenIDConnect provider found in your account for https://oidc.eks.eu-west-1.amazonaws.com/id/`,
    ],
    [
      "of the old kind, without an audience",
      async () =>
        assume("irsa", await services.workloads.issuer("kubernetes/serviceaccount").sign({})),
      "InvalidIdentityToken",
      "Missing a required claim: aud",
    ],
    [
      "that is over",
      async () => assume("irsa", await irsa(SHOP, STS_AUDIENCE, -1)),
      "ExpiredTokenException",
      "Token expired: current date/time ",
    ],
    [
      "that is none",
      () => assume("irsa", "hello"),
      "InvalidIdentityToken",
      "The ID Token provided is not a valid JWT. ",
    ],
    [
      "that another key has signed",
      async () => {
        const [head, , signature] = (await services.workloads.issuer(CI).sign({})).split(".");
        const [, claims] = (await irsa()).split(".");
        return assume("irsa", [head, claims, signature].join("."));
      },
      "InvalidIdentityToken",
      "The signature of the token is invalid",
    ],
  ];

  test.each(refusals)("%s is refused in AWS's words", async (_, call, code, message) => {
    await expect(call()).rejects.toMatchObject({
      name: expect.stringMatching(new RegExp(`^${code}`)),
      message: expect.stringContaining(message),
    });
  });

  test("of an issuer whose keys nobody publishes here is refused, and nothing leaves the machine", async () => {
    const far = "https://far.example.com";
    services.workloads.addProvider(far, [STS_AUDIENCE]);
    const claims = { iss: far, sub: "x", aud: STS_AUDIENCE, exp: 4_000_000_000 };
    const encoded = [{ alg: "RS256" }, claims].map((part) =>
      Buffer.from(JSON.stringify(part)).toString("base64url"),
    );
    await expect(assume("irsa", [...encoded, "AA"].join("."))).rejects.toThrow(
      "Couldn't retrieve verification key from your identity provider",
    );
  });

  test("asks for no longer than the role allows", async () => {
    const token = await irsa();
    const { Credentials } = await assume("irsa", token, { DurationSeconds: 7_200 });
    const lasts = (Credentials?.Expiration?.getTime() ?? 0) - services.clock.now();
    expect(Math.round(lasts / 60_000)).toBe(120);
    await expect(assume("irsa", token, { DurationSeconds: 7_201 })).rejects.toThrow(
      "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    );
    await expect(assume("irsa", token, { DurationSeconds: 60 })).rejects.toThrow(
      "Value '60' at 'durationSeconds' failed to satisfy constraint",
    );
    await expect(assume("irsa", token, { Policy: "{}" })).rejects.toMatchObject({
      name: "NotImplemented",
    });
  });

  test("is a document of the issuer that any program of this machine can read", async () => {
    const { endpoint } = services.config;
    const read = async (url: string) => (await fetch(url)).json() as Promise<object>;
    const at = `${endpoint}/oidc/${GITHUB.replace("https://", "")}`;
    expect(await read(`${at}/.well-known/openid-configuration`)).toMatchObject({
      issuer: GITHUB,
      jwks_uri: `${at}/keys`,
    });
    expect(await read(`${at}/keys`)).toMatchObject({ keys: [{ kty: "RSA", alg: "RS256" }] });
    expect((await fetch(`${endpoint}/oidc/nobody/keys`)).status).toBe(404);
  });
});

describe("a pod of EKS", () => {
  const token = (pod: Partial<typeof SHOP> = {}, audience: string = POD_IDENTITY_AUDIENCE) =>
    services.workloads.cluster("main").token({ ...SHOP, ...pod }, audience);
  async function ask(Authorization: string, cluster = "main") {
    const { credentialsUri } = services.workloads.cluster(cluster);
    const reply = await fetch(credentialsUri, { headers: { Authorization } });
    return { status: reply.status, text: await reply.text() };
  }

  test("gets the role of its association, with tags", async () => {
    const { status, text } = await ask(await token());
    expect(status).toBe(200);
    const keys = JSON.parse(text);
    expect(await callerWith(keys)).toMatch(/assumed-role\/pod\/eks-main-user-service-0-/);
    const lasts = Date.parse(keys.Expiration) - services.clock.now();
    expect(Math.round(lasts / 3_600_000)).toBe(6);
    await services.resources["AWS::IAM::Policy"]?.create({
      logicalId: "Tagged",
      type: "AWS::IAM::Policy",
      physicalName: () => "",
      properties: {
        Roles: ["pod"],
        PolicyDocument: {
          Version: "2012-10-17",
          Statement: {
            Effect: "Allow",
            Action: "sts:AssumeRole",
            Resource: arnOf("delegate"),
            Condition: { StringEquals: { "aws:PrincipalTag/kubernetes-namespace": "shop" } },
          },
        },
      },
    });
    services.identities.addRole("delegate");
    const asPod = new STSClient({
      ...services.config,
      credentials: {
        accessKeyId: keys.AccessKeyId,
        secretAccessKey: keys.SecretAccessKey,
        sessionToken: keys.Token,
      },
    });
    const command = new AssumeRoleCommand({ RoleArn: arnOf("delegate"), RoleSessionName: "as" });
    expect((await asPod.send(command)).AssumedRoleUser?.Arn).toMatch(/delegate\/as$/);
  });

  test.each([
    [
      "without an association",
      () => token({ serviceAccount: "other" }),
      404,
      /^\[[\w-]+\]: \(ResourceNotFoundException\): The token included in the request has no service account role association for it\., fault: client$/m,
    ],
    [
      "of another namespace",
      () => token({ namespace: "staging" }),
      404,
      /ResourceNotFoundException/,
    ],
    [
      "with a token for STS",
      () => token({}, STS_AUDIENCE),
      400,
      /\(InvalidTokenException\): .*, fault: client/,
    ],
    [
      "of another cluster",
      () => services.workloads.cluster("other").token(SHOP, POD_IDENTITY_AUDIENCE),
      400,
      /InvalidTokenException/,
    ],
    [
      "whose token is over",
      () => services.workloads.cluster("main").token(SHOP, POD_IDENTITY_AUDIENCE, 0),
      400,
      /Service account token failed basic claim validations: token is expired/,
    ],
    ["without a token", async () => "", 400, /Service account token cannot be empty/],
    ["with another text", async () => "hello", 400, /Service account token cannot be parsed/],
  ])("%s is refused as the agent does", async (_, authorization, status, text) => {
    expect(await ask(await authorization())).toEqual({
      status,
      text: expect.stringMatching(text),
    });
  });

  test("is refused if the trust policy has another cluster, or does not let its session be tagged", async () => {
    const refusal =
      "(AccessDeniedException): Unauthorized Exception! EKS does not have permissions to assume the associated role., fault: client";
    const pod = services.identities.role("pod");
    const { trust } = pod;
    for (const wrong of [
      statement({ Service: PODS_SERVICE }, "sts:AssumeRole", REQUEST_TAGS),
      statement({ Service: PODS_SERVICE }, POD_ACTIONS, {
        ...REQUEST_TAGS,
        "aws:RequestTag/eks-cluster-name": "other",
      }),
    ]) {
      pod.trust = wrong;
      expect(await ask(await token())).toEqual({
        status: 400,
        text: expect.stringContaining(refusal),
      });
    }
    pod.trust = trust;
    expect(await ask(await token())).toMatchObject({ status: 200 });
  });

  test("cannot be associated twice, nor with a role that EKS cannot tag", async () => {
    await expect(associate("Twice", "pod")).rejects.toThrow("ResourceInUseException");
    await makeRole("untagged", inService(PODS_SERVICE));
    await expect(associate("Untagged", "untagged", { Namespace: "other" })).rejects.toThrow(
      "InvalidParameterException: Trust policy of the role provided is invalid",
    );
    await expect(
      associate("Far", "pod", { Namespace: "other", TargetRoleArn: arnOf("far") }),
    ).rejects.toThrow("TargetRoleArn");
  });
});

describe("a task of ECS and an instance of EC2", () => {
  test("a task gets its role, if the role trusts ECS for this account", async () => {
    const conditions = { "aws:SourceAccount": "123456789012" };
    await makeRole("task", inService("ecs-tasks.amazonaws.com", conditions));
    const uri = await services.workloads.startTask("task");
    const keys = (await (await fetch(uri)).json()) as Keys;
    expect(await callerWith(keys)).toMatch(/assumed-role\/task\/[0-9a-f]{32}$/);
    expect(keys).toMatchObject({ RoleArn: arnOf("task") });
    const strange = await fetch(uri.replace(/[^/]+$/, "x"));
    expect([strange.status, await strange.json()]).toEqual([
      400,
      { code: "InvalidIdInRequest", message: "CredentialId not found", HTTPErrorCode: 400 },
    ]);

    await makeRole("far", inService("ecs-tasks.amazonaws.com", { "aws:SourceAccount": "1" }));
    await expect(services.workloads.startTask("far")).rejects.toThrow(
      `ECS was unable to assume the role '${arnOf("far")}' that was provided for this task.`,
    );
  });

  test("an instance gets the role of its profile, with a token of its metadata service", async () => {
    await makeRole("instance", inService("ec2.amazonaws.com"));
    await create("AWS::IAM::InstanceProfile", "Profile", { Roles: ["instance"] });
    const address = await services.workloads.startInstance("Profile");
    const path = `${address}/latest/meta-data/iam/security-credentials/`;
    expect((await fetch(path)).status).toBe(401);
    const asked = await fetch(`${address}/latest/api/token`, {
      method: "PUT",
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" },
    });
    const headers = { "x-aws-ec2-metadata-token": await asked.text() };
    const role = await (await fetch(path, { headers })).text();
    const read = async () => (await fetch(`${path}${role}`, { headers })).json();
    expect(await callerWith((await read()) as Keys)).toMatch(/assumed-role\/instance\/i-/);
    services.identities.role("instance").trust = inService("ecs-tasks.amazonaws.com");
    expect(await read()).toMatchObject({ Code: "AssumeRoleUnauthorizedAccess" });
  });
});

test("keys are refused when their time is over", async () => {
  const { Credentials } = await assume(
    "irsa",
    await services.workloads.cluster("main").token(SHOP, STS_AUDIENCE),
  );
  const { lambda, secrets, sts } = clientsOf(
    { ...services.config, credentialsFor: () => services.config.credentials },
    {
      accessKeyId: Credentials?.AccessKeyId ?? "",
      secretAccessKey: Credentials?.SecretAccessKey ?? "",
      sessionToken: Credentials?.SessionToken ?? "",
    },
  );
  services.clock.moveTo((Credentials?.Expiration?.getTime() ?? 0) - 30_000);
  expect(await callerWith(Credentials)).toMatch(/irsa/);
  services.clock.moveTo(Credentials?.Expiration?.getTime() ?? 0);
  const message = "The security token included in the request is expired";
  await expect(sts.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
    name: "ExpiredToken",
    message,
    $metadata: { httpStatusCode: 403 },
  });
  await expect(lambda.send(new InvokeCommand({ FunctionName: "any" }))).rejects.toMatchObject({
    name: "ExpiredTokenException",
    message,
    $metadata: { httpStatusCode: 403 },
  });
  await expect(secrets.send(new GetSecretValueCommand({ SecretId: "any" }))).rejects.toMatchObject({
    name: "ExpiredTokenException",
    message,
  });
});
