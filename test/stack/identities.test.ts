import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  AssumeRoleWithWebIdentityCommand,
  GetCallerIdentityCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Credential } from "../../core/leases/credential.ts";
import { aliasName } from "../../core/names.ts";
import { type Runner, startRunner } from "../../local/runner.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import { clientsOf } from "../local/clients.ts";
import { synthesizeHere } from "../support/assembly.ts";
import { eventually } from "../support/eventually.ts";
import { mayflyProcess, startMayfly } from "../support/mayfly.ts";

const CLUSTER = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
const GITHUB = "https://token.actions.githubusercontent.com";
const GITLAB = "https://gitlab.com";
const K3S = "https://k3s.example.com";
const SHOP = { namespace: "shop", serviceAccount: "user-service" };
const REPORTS = { namespace: "reports", serviceAccount: "daily" };

const roles = ["orders/readonly"];
const CONFIG = {
  databases: {
    orders: {
      sandbox: true,
      databases: ["orders"],
      owner: "app_owner",
      roles: { readonly: { select: ["public.*"], ttl: "1h", maxTtl: "24h" } },
    },
  },
  consumers: {
    irsa: { eks: { oidcIssuer: CLUSTER, newProvider: true, ...SHOP }, roles },
    pod: { eks: { cluster: "main", ...REPORTS }, roles },
    task: { ecs: true, roles },
    instance: { ec2: true, roles },
    deploy: { github: { repository: "acme/orders", branch: "main", newProvider: true }, roles },
    build: { gitlab: { project: "acme/orders", branch: "main", newProvider: true }, roles },
    edge: {
      oidc: {
        issuer: K3S,
        subject: "system:serviceaccount:edge:sensor",
        audience: "aws",
        newProvider: true,
      },
      roles,
    },
  },
};

/** As long as AWS's, until a test needs sessions that end. */
let sessionSeconds = 3_600;

type Kind = keyof typeof CONFIG.consumers;
type Environment = Record<string, string>;

const { path: folder, remove } = tempFolder("identities");
let runner: Runner;

beforeAll(async () => {
  const assembly = join(folder, "cdk.out");
  mkdirSync(assembly);
  synthesizeHere(assembly, CONFIG);
  runner = await startRunner({ assembly, sessionSeconds: () => sessionSeconds });
  runner.workloads.cluster("main", CLUSTER);
});

afterAll(async () => {
  await runner.stop();
  remove();
});

const output = (name: string): string => runner.outputs[name] ?? `no output ${name}`;
const roleOf = (consumer: Kind): string =>
  output(`${consumer.charAt(0).toUpperCase()}${consumer.slice(1)}RoleArn`);
const aliasOf = (consumer: Kind): string =>
  `${output("OrdersIssuerArn")}:${aliasName(consumer, "readonly")}`;

/** As the kubelet renews a token: it puts another file in its place. */
function tokenFile(name: string, token: string): string {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, token);
  renameSync(`${path}.new`, path);
  return path;
}

/** What EKS's webhook and CI services set. */
const webIdentity = (
  consumer: Kind,
  token: string,
  file: string = `${consumer}.jwt`,
): Environment => ({
  AWS_ROLE_ARN: roleOf(consumer),
  AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile(file, token),
});

const jobOf = (issuer: string, sub: string, aud: string): Promise<string> =>
  runner.workloads.issuer(issuer).sign({ sub, aud });

const assume = (consumer: Kind, WebIdentityToken: string) =>
  new STSClient({ endpoint: runner.endpoint, region: runner.region }).send(
    new AssumeRoleWithWebIdentityCommand({
      RoleArn: roleOf(consumer),
      RoleSessionName: "job",
      WebIdentityToken,
    }),
  );

/** What each platform sets, and no more. */
const PLATFORMS: Readonly<Record<Kind, () => Promise<Environment>>> = {
  irsa: async () =>
    webIdentity("irsa", await runner.workloads.cluster("main").token(SHOP, "sts.amazonaws.com")),
  pod: async () => {
    const cluster = runner.workloads.cluster("main");
    return {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: cluster.credentialsUri,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile(
        "pod.jwt",
        await cluster.token(REPORTS, "pods.eks.amazonaws.com"),
      ),
    };
  },
  task: async () => ({
    AWS_CONTAINER_CREDENTIALS_FULL_URI: await runner.workloads.startTask(roleOf("task")),
  }),
  instance: async () => ({
    AWS_EC2_METADATA_SERVICE_ENDPOINT: await runner.workloads.startInstance(
      output("InstanceInstanceProfile"),
    ),
    AWS_EC2_METADATA_DISABLED: "false",
  }),
  // the action for AWS asks STS by itself, and sets the keys
  deploy: async () => {
    const sub = "repo:acme/orders:ref:refs/heads/main";
    const { Credentials } = await assume("deploy", await jobOf(GITHUB, sub, "sts.amazonaws.com"));
    return {
      AWS_ACCESS_KEY_ID: Credentials?.AccessKeyId ?? "",
      AWS_SECRET_ACCESS_KEY: Credentials?.SecretAccessKey ?? "",
      AWS_SESSION_TOKEN: Credentials?.SessionToken ?? "",
    };
  },
  build: async () => {
    const sub = "project_path:acme/orders:ref_type:branch:ref:main";
    return webIdentity("build", await jobOf(GITLAB, sub, GITLAB));
  },
  edge: async () =>
    webIdentity("edge", await jobOf(K3S, "system:serviceaccount:edge:sensor", "aws")),
};

const everywhere = (): Environment => ({
  AWS_ENDPOINT_URL: runner.endpoint,
  AWS_REGION: runner.region,
  HOME: folder, // without profiles
});

/** Ask for a lease in a process that has only what its platform gives it. */
const issue = (consumer: Kind, environment: Environment) =>
  mayflyProcess(
    ["issue", "--consumer", consumer, "--role", "readonly", "--function", aliasOf(consumer)],
    { ...everywhere(), ...environment },
  );

describe("a workload gets its lease by the credentials of its platform", () => {
  test.concurrent.each(Object.keys(PLATFORMS) as Kind[])("%s", async (consumer) => {
    const environment = await PLATFORMS[consumer]();
    let ran = await issue(consumer, environment);
    // the SDK gives a metadata service one second, which a busy machine may need
    for (let more = 3; more > 0 && ran.err.includes("Could not load credentials"); more -= 1)
      ran = await issue(consumer, environment);
    const { status, out, err } = ran;
    expect(err).toContain("lease orders/readonly/mf_");
    expect(status).toBe(0);
    const { host, port, dbname, username, password } = JSON.parse(out) as Credential;
    expect(username).toContain(`_readonly_${consumer}_`);
    const ssl = { ca: runner.database.ca };
    const client = new pg.Client({ host, port, database: dbname, user: username, password, ssl });
    await client.connect();
    await client.end();
  });

  test.concurrent("and none with the token of another service account", async () => {
    const other = { ...SHOP, serviceAccount: "other" };
    const token = await runner.workloads.cluster("main").token(other, "sts.amazonaws.com");
    const environment = webIdentity("irsa", token, "other.jwt");
    expect(await issue("irsa", environment)).toMatchObject({
      status: 77,
      out: "",
      err: "mayfly: Not authorized to perform sts:AssumeRoleWithWebIdentity\n",
    });
  });

  test.concurrent("and none in a pod without an association", async () => {
    const cluster = runner.workloads.cluster("main");
    const { status, out, err } = await issue("pod", {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: cluster.credentialsUri,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile(
        "unassociated.jwt",
        await cluster.token(SHOP, "pods.eks.amazonaws.com"),
      ),
    });
    // the SDK drops the agent's words
    expect(err).toContain("Could not load credentials from any providers");
    expect([status, out]).toEqual([77, ""]);
  });
});

describe("the roles of the stack trust nobody else", () => {
  const cluster = (name = "main") => runner.workloads.cluster(name);
  const DENIED = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
  const gitLabJob = (path: string) => jobOf(GITLAB, `project_path:${path}`, GITLAB);

  test.each<[Kind, string, () => Promise<string>, string]>([
    [
      "irsa",
      "another namespace",
      () => cluster().token({ ...SHOP, namespace: "staging" }, "sts.amazonaws.com"),
      DENIED,
    ],
    [
      "irsa",
      "the audience of another service",
      () => cluster().token(SHOP, "https://kubernetes.default.svc"),
      "Incorrect token audience",
    ],
    [
      "irsa",
      "another cluster",
      () => cluster("other").token(SHOP, "sts.amazonaws.com"),
      "No OpenIDConnect provider found in your account for https://oidc.eks.",
    ],
    [
      "irsa",
      "a job of GitHub",
      () => jobOf(GITHUB, "system:serviceaccount:shop:user-service", "sts.amazonaws.com"),
      DENIED,
    ],
    [
      "irsa",
      "a token that is over",
      () => cluster().token(SHOP, "sts.amazonaws.com", -1),
      "Token expired: current date/time ",
    ],
    [
      "deploy",
      "another branch",
      () => jobOf(GITHUB, "repo:acme/orders:ref:refs/heads/next", "sts.amazonaws.com"),
      DENIED,
    ],
    [
      "deploy",
      "another repository",
      () => jobOf(GITHUB, "repo:acme/other:ref:refs/heads/main", "sts.amazonaws.com"),
      DENIED,
    ],
    ["build", "a tag", () => gitLabJob("acme/orders:ref_type:tag:ref:main"), DENIED],
    ["build", "another project", () => gitLabJob("acme/other:ref_type:branch:ref:main"), DENIED],
    ["edge", "another subject", () => jobOf(K3S, "system:serviceaccount:edge:x", "aws"), DENIED],
  ])("%s: %s", async (consumer, _, token, message) => {
    await expect(assume(consumer, await token())).rejects.toThrow(message);
  });

  test.each<[Kind, string]>([
    ["pod", "ECS"],
    ["instance", "ECS"],
    ["irsa", "ECS"],
  ])("%s: tasks of %s", async (consumer) => {
    await expect(runner.workloads.startTask(roleOf(consumer))).rejects.toThrow(
      `ECS was unable to assume the role '${roleOf(consumer)}'`,
    );
  });
});

test("the agent reads the token that its platform renews, and asks with keys that are valid", async () => {
  const cluster = runner.workloads.cluster("main");
  const token = (seconds?: number) => cluster.token(SHOP, "sts.amazonaws.com", seconds);
  sessionSeconds = 2;
  const first = await token();
  const agents = ["renewed", "forgotten"].map((name) => {
    const login = join(folder, `${name}.json`);
    const agent = startMayfly(
      ["agent", "orders/readonly", "--file", `json:${login}`, "--ca", runner.caFile],
      {
        ...everywhere(),
        ...webIdentity("irsa", first, `${name}.jwt`),
        MAYFLY_LEASE_ORDERS_READONLY: aliasOf("irsa"),
      },
    );
    return { agent, username: () => JSON.parse(readFileSync(login, "utf8")).username };
  });
  const users = await Promise.all(agents.map(({ username }) => eventually(username)));
  const [renewed, forgotten] = agents.map(({ agent }) => agent);

  tokenFile("renewed.jwt", await token());
  tokenFile("forgotten.jwt", await token(-1));
  // the agents' keys are older than these
  const { Credentials } = await assume("irsa", first);
  const keys = clientsOf(runner, {
    accessKeyId: Credentials?.AccessKeyId ?? "",
    secretAccessKey: Credentials?.SecretAccessKey ?? "",
    sessionToken: Credentials?.SessionToken ?? "",
  });
  await eventually(() =>
    keys.sts.send(new GetCallerIdentityCommand({})).then(
      () => false,
      ({ name }: Error) => name === "ExpiredToken",
    ),
  );
  // at its end, an agent revokes its lease: a call more with the same client
  for (const each of [renewed, forgotten]) each?.signal("SIGTERM");
  expect(await renewed?.ended).toBe(0);
  await forgotten?.ended;
  expect(renewed?.text.err).not.toContain("Expired");
  expect(forgotten?.text.err).toContain("ExpiredTokenException");
  expect(await rolesAmong(users)).toEqual([users[1]]);
});

/** The users of these that still exist. */
async function rolesAmong(names: readonly string[]): Promise<unknown[]> {
  const client = new pg.Client(runner.database.superuser("postgres"));
  await client.connect();
  const { rows } = await client.query("select rolname from pg_roles where rolname = any($1)", [
    names,
  ]);
  await client.end();
  return rows.map(({ rolname }) => rolname);
}
