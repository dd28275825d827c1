import { serviceAccountSubject } from "../../../core/aws/workload-identity.ts";
import type {
  CredentialVariables,
  IdentityFacts,
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
