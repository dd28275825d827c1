import { trustIn } from "../../../bin/doctor/evidence/from-aws.ts";
import {
  GITHUB_ISSUER,
  GITLAB_ISSUER,
  gitHubSubject,
  gitLabSubject,
} from "../../../core/aws/trust/pipelines.ts";
import { rolesAnywhereTrust } from "../../../core/aws/trust/roles-anywhere.ts";
import type { TrustStatement as OwnStatement } from "../../../core/aws/trust/statement.ts";
import { oidcProviderArn, webIdentityTrust } from "../../../core/aws/trust/web-identity.ts";
import { issuerName, serviceAccountSubject } from "../../../core/aws/workload-identity.ts";
import type {
  CredentialVariables,
  IdentityFacts,
  TrustFact,
  TrustStatement,
} from "../../../core/doctor/identity/identity-facts.ts";
import type { Instant } from "../../../core/time.ts";

/** A healthy workload of each kind of identity: a row of a table changes one thing of it. */

const instant = (text: string): Instant => Date.parse(text) as Instant;
export const NOW = instant("2026-11-30T12:00:00Z");
export const HOUR = 3_600_000;
export const later = (by: number): Instant => (NOW + by) as Instant;

export const ROLE = "arn:aws:iam::111122223333:role/user-service";
export const SESSION = "arn:aws:sts::111122223333:assumed-role/user-service/botocore-session";
export const NODE_SESSION = "arn:aws:sts::111122223333:assumed-role/node-group/i-0123456789abcdef0";
export const ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF";
export const PROVIDER = `arn:aws:iam::111122223333:oidc-provider/${ISSUER}`;
export const SUBJECT = serviceAccountSubject({
  namespace: "shop",
  serviceAccount: "user-service",
});
export const TOKEN_FILE = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
export const POD_IDENTITY_URI = "http://169.254.170.23/v1/credentials";
export const CLUSTER = {
  name: "main",
  arn: "arn:aws:eks:eu-west-1:111122223333:cluster/main",
  issuer: `https://${ISSUER}`,
};

const IRSA_ENV = { AWS_ROLE_ARN: ROLE, AWS_WEB_IDENTITY_TOKEN_FILE: TOKEN_FILE };

export const variables = (given: Partial<CredentialVariables>): CredentialVariables => ({
  platform: "kubernetes",
  keys: "none",
  isMetadataOff: false,
  region: "eu-west-1",
  ...given,
});

export const irsaStatement = (conditions: Readonly<Record<string, string>>): TrustStatement => ({
  effect: "Allow",
  actions: ["sts:AssumeRoleWithWebIdentity"],
  principals: [{ type: "Federated", value: PROVIDER }],
  conditions: Object.entries(conditions).map(([key, value]) => ({
    operator: "StringEquals",
    key,
    values: [value],
  })),
});

const SERVICE_ACCOUNT = {
  namespace: "shop",
  name: "user-service",
  annotations: { "eks.amazonaws.com/role-arn": ROLE },
  annotatedAt: later(-48 * HOUR),
  createdAt: later(-72 * HOUR),
};

const POD = {
  namespace: "shop",
  name: "user-service-7d9c",
  serviceAccount: "user-service",
  createdAt: later(-24 * HOUR),
  isRunning: true,
  annotations: {},
  containers: [{ name: "app", variables: IRSA_ENV }],
};

/** In the pod, with all the files at hand. */
export const IRSA = {
  now: NOW,
  variables: variables({ roleArn: ROLE, tokenFile: TOKEN_FILE }),
  token: {
    kind: "claims",
    issuer: `https://${ISSUER}`,
    subject: SUBJECT,
    audiences: ["sts.amazonaws.com"],
    expiresAt: later(20 * HOUR),
  },
  caller: { kind: "caller", arn: SESSION },
  expected: { arn: ROLE, from: "--role" },
  serviceAccount: SERVICE_ACCOUNT,
  pod: POD,
  trust: {
    roleArn: ROLE,
    statements: [
      irsaStatement({ [`${ISSUER}:sub`]: SUBJECT, [`${ISSUER}:aud`]: "sts.amazonaws.com" }),
    ],
  },
  providers: [PROVIDER],
  provider: { url: ISSUER, clientIds: ["sts.amazonaws.com"] },
  cluster: CLUSTER,
} as const satisfies IdentityFacts;

/** The same from files alone: nothing was asked. */
export const IRSA_FILES = {
  now: NOW,
  variables: variables({ roleArn: ROLE, tokenFile: TOKEN_FILE }),
  serviceAccount: SERVICE_ACCOUNT,
  pod: POD,
  trust: IRSA.trust,
  providers: [PROVIDER],
  provider: IRSA.provider,
  cluster: CLUSTER,
} as const satisfies IdentityFacts;

export const podIdentityStatement = (actions: readonly string[]): TrustStatement => ({
  effect: "Allow",
  actions,
  principals: [{ type: "Service", value: "pods.eks.amazonaws.com" }],
  conditions: [
    {
      operator: "StringEquals",
      key: "aws:RequestTag/kubernetes-namespace",
      values: ["shop"],
    },
    {
      operator: "StringEquals",
      key: "aws:RequestTag/kubernetes-service-account",
      values: ["user-service"],
    },
    { operator: "StringEquals", key: "aws:RequestTag/eks-cluster-arn", values: [CLUSTER.arn] },
  ],
});

export const POD_IDENTITY = {
  now: NOW,
  variables: variables({ fullUri: POD_IDENTITY_URI }),
  caller: {
    kind: "caller",
    arn: "arn:aws:sts::111122223333:assumed-role/user-service/eks-main-user-serv-0a1b",
  },
  container: { kind: "credentials" },
  expected: { arn: ROLE, from: "--role" },
  serviceAccount: { ...SERVICE_ACCOUNT, annotations: {} },
  pod: {
    ...POD,
    containers: [
      { name: "app", variables: { AWS_CONTAINER_CREDENTIALS_FULL_URI: POD_IDENTITY_URI } },
    ],
  },
  associations: [
    {
      cluster: "main",
      namespace: "shop",
      serviceAccount: "user-service",
      roleArn: ROLE,
      createdAt: later(-48 * HOUR),
    },
  ],
  trust: {
    roleArn: ROLE,
    statements: [podIdentityStatement(["sts:AssumeRole", "sts:TagSession"])],
  },
  cluster: CLUSTER,
} as const satisfies IdentityFacts;

const serviceStatement = (service: string): TrustStatement => ({
  effect: "Allow",
  actions: ["sts:AssumeRole"],
  principals: [{ type: "Service", value: service }],
  conditions: [],
});

export const ECS = {
  now: NOW,
  variables: variables({ platform: "ecs", relativeUri: "/v2/credentials/0a1b" }),
  caller: { kind: "caller", arn: "arn:aws:sts::111122223333:assumed-role/user-service/0a1b2c3d" },
  container: { kind: "credentials", roleArn: ROLE },
  expected: { arn: ROLE, from: "--role" },
  taskDefinition: {
    family: "user-service",
    taskRoleArn: ROLE,
    executionRoleArn: "arn:aws:iam::111122223333:role/ecsTaskExecutionRole",
  },
  trust: { roleArn: ROLE, statements: [serviceStatement("ecs-tasks.amazonaws.com")] },
} as const satisfies IdentityFacts;

export const INSTANCE = {
  now: NOW,
  variables: variables({ platform: "other" }),
  caller: {
    kind: "caller",
    arn: "arn:aws:sts::111122223333:assumed-role/user-service/i-0123456789abcdef0",
  },
  instance: { kind: "role", role: "user-service" },
  hopLimit: 2,
  expected: { arn: ROLE, from: "--role" },
  trust: { roleArn: ROLE, statements: [serviceStatement("ec2.amazonaws.com")] },
} as const satisfies IdentityFacts;

export const LAMBDA = {
  now: NOW,
  variables: variables({ platform: "lambda", keys: "temporary" }),
  caller: { kind: "caller", arn: "arn:aws:sts::111122223333:assumed-role/user-service/fn" },
  expected: { arn: ROLE, from: "--role" },
  trust: { roleArn: ROLE, statements: [serviceStatement("lambda.amazonaws.com")] },
} as const satisfies IdentityFacts;

export const PERSON = {
  now: NOW,
  variables: variables({ platform: "other", profile: "work" }),
  caller: {
    kind: "caller",
    arn: "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Reader_0a1b/ana@example.com",
  },
  expected: {
    arn: "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Reader_0a1b",
    from: "--role",
  },
} as const satisfies IdentityFacts;

/** Where the role is. */
export const PLACE = { partition: "aws", account: "111122223333", region: "eu-west-1" };

/** A trust policy as Mayfly's own constructs write it. */
export const ownTrust = (statement: OwnStatement): TrustFact =>
  trustIn({ Statement: [statement] }, "role.json", ROLE);

/** A workload with a token of an issuer, and a role that is made for it. */
const tokenOf = (issuer: string, subject: string, audience: string) =>
  ({
    now: NOW,
    token: { kind: "claims", issuer, subject, audiences: [audience], expiresAt: later(HOUR / 12) },
    expected: { arn: ROLE, from: "--role" },
    trust: ownTrust(webIdentityTrust(PLACE, { issuer, audience, subjects: [subject] })),
    providers: [oidcProviderArn(PLACE, issuer)],
    provider: { url: issuerName(issuer), clientIds: [audience] },
  }) as const satisfies IdentityFacts;

const JOB_SESSION = "arn:aws:sts::111122223333:assumed-role/user-service/GitHubActions";

/** From the claims that a job printed. */
export const GITHUB_FILES = tokenOf(
  GITHUB_ISSUER,
  gitHubSubject("acme/orders", { branch: "main" }),
  "sts.amazonaws.com",
);

/** In a job, after AWS's action. The doctor asked for a token by itself. */
export const GITHUB = {
  ...GITHUB_FILES,
  variables: variables({ platform: "github", keys: "temporary" }),
  job: { pipeline: "github", hasToken: true, server: "https://github.com" },
  token: { ...GITHUB_FILES.token, isOwn: true },
  caller: { kind: "caller", arn: JOB_SESSION },
} as const satisfies IdentityFacts;

export const GITLAB_FILES = tokenOf(
  GITLAB_ISSUER,
  gitLabSubject("acme/shop/orders", { branch: "main" }),
  GITLAB_ISSUER,
);

/** In a job that has written its token into a file. */
export const GITLAB = {
  ...GITLAB_FILES,
  variables: variables({ platform: "gitlab", roleArn: ROLE, tokenFile: "/builds/token" }),
  job: { pipeline: "gitlab", hasToken: true, server: GITLAB_ISSUER },
  caller: { kind: "caller", arn: JOB_SESSION },
} as const satisfies IdentityFacts;

/** Entra's issuers end with a slash. */
export const OIDC_FILES = tokenOf(
  "https://sts.windows.net/0a1b2c3d/",
  "11111111-1111-1111-1111-111111111111",
  "api://mayfly",
);

export const OIDC = {
  ...OIDC_FILES,
  variables: variables({ platform: "other", roleArn: ROLE, tokenFile: "/run/token" }),
  caller: { kind: "caller", arn: JOB_SESSION },
} as const satisfies IdentityFacts;

const UNIQUE_ID = "104412345678901234567";

/** IAM knows Google's issuer without a provider, and calls the `azp` of its tokens `aud`. */
export const GOOGLE_FILES = {
  ...tokenOf("https://accounts.google.com", UNIQUE_ID, "mayfly"),
  token: {
    ...tokenOf("https://accounts.google.com", UNIQUE_ID, "mayfly").token,
    authorizedParty: UNIQUE_ID,
  },
  providers: [],
} as const satisfies IdentityFacts;

export const ANCHOR =
  "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/01234567-89ab-cdef-0123-456789abcdef";
export const PROFILE =
  "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/89abcdef-0123-4567-89ab-cdef01234567";

/** From what `aws rolesanywhere` and openssl printed. */
export const ANYWHERE_FILES = {
  now: NOW,
  certificate: {
    kind: "certificate",
    subject: { CN: ["billing.corp.example.com"], O: ["Acme"], OU: ["Billing"] },
    issuer: { CN: ["Acme CA"] },
    notBefore: later(-24 * HOUR),
    notAfter: later(90 * 24 * HOUR),
  },
  trustAnchors: [{ arn: ANCHOR, isEnabled: true }],
  anywhereProfiles: [{ arn: PROFILE, isEnabled: true, roleArns: [ROLE] }],
  trust: ownTrust(
    rolesAnywhereTrust({
      trustAnchorArn: ANCHOR,
      commonName: "billing.corp.example.com",
      organization: "Acme",
      organizationalUnit: "Billing",
    }),
  ),
} as const satisfies IdentityFacts;

/** On the machine, by AWS's credential helper. */
export const ANYWHERE = {
  ...ANYWHERE_FILES,
  variables: variables({ platform: "other", profile: "default" }),
  helper: {
    roleArn: ROLE,
    profileArn: PROFILE,
    trustAnchorArn: ANCHOR,
    certificate: "/etc/mayfly/machine.pem",
  },
  caller: {
    kind: "caller",
    arn: "arn:aws:sts::111122223333:assumed-role/user-service/4f2a9c",
  },
} as const satisfies IdentityFacts;
