import { expect, test } from "vitest";
import {
  GITHUB_ISSUER,
  GITLAB_ISSUER,
  gitHubSubject,
  gitLabSubject,
} from "../../../core/aws/trust/pipelines.ts";
import { podIdentityTrust } from "../../../core/aws/trust/pods.ts";
import { rolesAnywhereTrust } from "../../../core/aws/trust/roles-anywhere.ts";
import { ec2Trust, ecsTaskTrust, lambdaTrust } from "../../../core/aws/trust/services.ts";
import { oidcProviderArn, webIdentityTrust } from "../../../core/aws/trust/web-identity.ts";
import { type Finding, worstOf } from "../../../core/doctor/finding.ts";
import type {
  CallerFact,
  IdentityFacts,
  TrustStatement,
} from "../../../core/doctor/identity/identity-facts.ts";
import { IDENTITY_CHECKS, lookAtIdentity } from "../../../core/doctor/identity/look-at-identity.ts";
import {
  ANCHOR,
  ANYWHERE,
  ANYWHERE_FILES,
  CLUSTER,
  ECS,
  GITHUB,
  GITHUB_FILES,
  GITLAB,
  GITLAB_FILES,
  GOOGLE_FILES,
  HOUR,
  INSTANCE,
  IRSA,
  IRSA_FILES,
  ISSUER,
  irsaStatement,
  LAMBDA,
  later,
  NODE_SESSION,
  NOW,
  OIDC,
  OIDC_FILES,
  ownTrust,
  PERSON,
  PLACE,
  POD_IDENTITY,
  POD_IDENTITY_URI,
  PROFILE,
  PROVIDER,
  podIdentityStatement,
  ROLE,
  SUBJECT,
  TOKEN_FILE,
  variables,
} from "./healthy.ts";

const failed = (name: string, message: string): CallerFact => ({
  kind: "failed",
  name,
  message,
  isNetwork: false,
});

const DENIED = failed("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
const NO_CREDENTIALS = failed(
  "CredentialsProviderError",
  "Could not load credentials from any providers",
);

const trusting = (...statements: readonly TrustStatement[]) => ({ roleArn: ROLE, statements });
const claims = (sub: string, aud: string, issuer = ISSUER) =>
  irsaStatement({ [`${issuer}:sub`]: sub, [`${issuer}:aud`]: aud });
const STS = "sts.amazonaws.com";

const plainPod = { ...IRSA.pod, containers: [{ name: "app", variables: {} }] };
const bare = variables({});
const TAGGED = ["sts:AssumeRole", "sts:TagSession"];

interface Row {
  readonly row: string;
  readonly facts: IdentityFacts;
  /** The check that names the cause. */
  readonly check: string;
  /** What the evidence shows. */
  readonly shows: RegExp;
  /** What the fix names: setting and value. */
  readonly mends: RegExp;
}

/** A row of facts/aws.md's symptom table by its causes, from what an engineer has. */
const ROWS: Row[] = [
  {
    row: "AccessDenied: the trust policy has another namespace",
    facts: {
      ...IRSA,
      caller: DENIED,
      trust: trusting(claims("system:serviceaccount:default:user-service", STS)),
    },
    check: "trust-subject",
    shows:
      /wants the sub system:serviceaccount:default:user-service; the token has system:serviceaccount:shop:user-service/,
    mends: /set the condition's sub to system:serviceaccount:shop:user-service/,
  },
  {
    row: "AccessDenied: the trust policy has another service account",
    facts: {
      ...IRSA_FILES,
      trust: trusting(claims("system:serviceaccount:shop:users", STS)),
    },
    check: "trust-subject",
    shows: /wants the sub system:serviceaccount:shop:users/,
    mends:
      /"StringEquals":\{"oidc\.eks\.eu-west-1\.amazonaws\.com\/id\/ABCDEF:sub":"system:serviceaccount:shop:user-service"/,
  },
  {
    row: "AccessDenied: a wildcard under StringEquals",
    facts: {
      ...IRSA,
      caller: DENIED,
      trust: trusting(claims("system:serviceaccount:shop:*", STS)),
    },
    check: "trust-wildcard",
    shows: /StringEquals with the pattern system:serviceaccount:shop:\*/,
    mends: new RegExp(`write the exact value: .*"${SUBJECT}"`),
  },
  {
    row: "AccessDenied: the id of another cluster",
    facts: {
      ...IRSA,
      caller: DENIED,
      token: { ...IRSA.token, issuer: "https://oidc.eks.eu-west-1.amazonaws.com/id/NEW" },
      providers: [PROVIDER, PROVIDER.replace("ABCDEF", "NEW")],
    },
    check: "trust-cluster",
    shows: /is for the cluster id ABCDEF; the workload runs in NEW/,
    mends: /write NEW in place of ABCDEF, in Principal and in every condition key/,
  },
  {
    row: "AccessDenied: the id of another cluster in the condition keys alone",
    facts: {
      ...IRSA,
      caller: DENIED,
      trust: trusting(claims(SUBJECT, STS, "oidc.eks.eu-west-1.amazonaws.com/id/OLD")),
    },
    check: "trust-cluster",
    shows: /is for the cluster id OLD; the workload runs in ABCDEF/,
    mends: /write ABCDEF in place of OLD/,
  },
  {
    row: "AccessDenied: another audience in the trust policy",
    facts: { ...IRSA, caller: DENIED, trust: trusting(claims(SUBJECT, "sts.amazon.com")) },
    check: "trust-audience",
    shows: /wants the aud sts\.amazon\.com; the token has sts\.amazonaws\.com/,
    mends: /set the condition's aud to sts\.amazonaws\.com/,
  },
  {
    row: "AccessDenied: the trust policy is for another issuer",
    facts: {
      ...IRSA,
      caller: DENIED,
      trust: trusting({
        ...claims(SUBJECT, STS),
        principals: [
          { type: "Federated", value: "arn:aws:iam::111122223333:oidc-provider/gitlab.com" },
        ],
      }),
    },
    check: "trust-provider",
    shows: /is for gitlab\.com; the token is of oidc\.eks\.eu-west-1\.amazonaws\.com\/id\/ABCDEF/,
    mends: new RegExp(`"Federated": "${PROVIDER}"`),
  },
  {
    row: "AccessDenied: the trust policy names a provider of another account",
    facts: {
      ...IRSA,
      caller: DENIED,
      trust: trusting({
        ...claims(SUBJECT, STS),
        principals: [
          { type: "Federated", value: `arn:aws:iam::999900001111:oidc-provider/${ISSUER}` },
        ],
      }),
    },
    check: "trust-provider",
    shows: /provider of account 999900001111; the role is in 111122223333/,
    mends: new RegExp(`set Principal to {"Federated": "${PROVIDER}"}`),
  },
  {
    row: "AccessDenied: a typo in the role's ARN",
    facts: {
      ...IRSA,
      caller: failed("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
      expected: { arn: ROLE, from: "--role" },
      variables: variables({
        roleArn: "arn:aws:iam::111122223333:role/user-servcie",
        tokenFile: TOKEN_FILE,
      }),
    },
    check: "web-identity-role",
    shows:
      /the pod asks for arn:aws:iam::111122223333:role\/user-servcie; the role with the trust policy is/,
    mends: new RegExp(
      `set the annotation eks.amazonaws.com/role-arn of shop/user-service to ${ROLE}`,
    ),
  },
  {
    row: "AccessDenied without the trust policy: which condition it must have, and how to show it",
    facts: { now: NOW, variables: IRSA.variables, token: IRSA.token, caller: DENIED },
    check: "trust-subject",
    shows: new RegExp(`must have the condition .*${ISSUER}:sub":"${SUBJECT}"`),
    mends: /aws iam get-role --role-name user-service > role\.json, and add --from role\.json/,
  },
  {
    row: "InvalidIdentityToken: no OIDC provider in the account",
    facts: {
      now: NOW,
      variables: IRSA.variables,
      token: IRSA.token,
      caller: failed(
        "InvalidIdentityTokenException",
        `No OpenIDConnect provider found in your account for https://${ISSUER}`,
      ),
    },
    check: "oidc-provider",
    shows: /No OpenIDConnect provider found/,
    mends: new RegExp(
      `create-open-id-connect-provider --url https://${ISSUER} --client-id-list ${STS}`,
    ),
  },
  {
    row: "InvalidIdentityToken, from files: the list of providers lacks the cluster's",
    facts: { ...IRSA_FILES, providers: [], provider: { url: "gitlab.com", clientIds: [STS] } },
    check: "oidc-provider",
    shows: /the account has no OIDC provider for it; it has gitlab\.com/,
    mends: /aws iam create-open-id-connect-provider --url/,
  },
  {
    row: "InvalidIdentityToken: Incorrect token audience",
    facts: {
      ...IRSA,
      caller: failed("InvalidIdentityTokenException", "Incorrect token audience"),
      provider: { url: ISSUER, clientIds: ["sts.amazon.com"] },
    },
    check: "oidc-audience",
    shows: /Incorrect token audience; its provider lets in sts\.amazon\.com/,
    mends: new RegExp(
      `add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn ${PROVIDER} --client-id ${STS}`,
    ),
  },
  {
    row: "Missing a required claim: aud",
    facts: {
      now: NOW,
      variables: variables({
        roleArn: ROLE,
        tokenFile: "/var/run/secrets/kubernetes.io/serviceaccount/token",
      }),
      token: {
        kind: "claims",
        issuer: "kubernetes/serviceaccount",
        subject: SUBJECT,
        audiences: [],
      },
      caller: failed("InvalidIdentityTokenException", "Missing a required claim: aud"),
    },
    check: "token-audience",
    shows: /Missing a required claim: aud: it is the old token/,
    mends: new RegExp(`AWS_WEB_IDENTITY_TOKEN_FILE to ${TOKEN_FILE}`),
  },
  {
    row: "the webhook's audience was set to another",
    facts: { ...IRSA, token: { ...IRSA.token, audiences: ["vault"] }, caller: DENIED },
    check: "token-audience",
    shows: /the token's aud is vault, not sts\.amazonaws\.com/,
    mends: /remove the annotation eks\.amazonaws\.com\/audience of shop\/user-service/,
  },
  {
    row: "ExpiredTokenException of an application that keeps a token",
    facts: {
      ...IRSA,
      applicationError: {
        name: "ExpiredTokenException",
        message: "Token expired: current date/time must be before the expiration date/time",
      },
    },
    check: "token-expiry",
    shows: /ExpiredTokenException.*but the token in the file is good until 2026-12-01T08:00:00/,
    mends: /read the file again/,
  },
  {
    row: "ExpiredTokenException of a token that was copied",
    facts: {
      ...IRSA,
      token: { ...IRSA.token, expiresAt: later(-HOUR) },
      caller: failed("ExpiredTokenException", "Token expired"),
    },
    check: "token-expiry",
    shows: /ended at 2026-11-30T11:00:00/,
    mends: /mount the token itself, not a copy/,
  },
  {
    row: "node role: the service account has no annotation",
    facts: {
      now: NOW,
      variables: bare,
      caller: { kind: "caller", arn: NODE_SESSION },
      instance: { kind: "role", role: "node-group" },
      expected: IRSA.expected,
      serviceAccount: {
        ...IRSA.serviceAccount,
        annotations: { "eks.amazonaws.com/role_arn": ROLE },
      },
      pod: plainPod,
    },
    check: "annotation",
    shows: /has no annotation eks\.amazonaws\.com\/role-arn, but eks\.amazonaws\.com\/role_arn/,
    mends: new RegExp(
      `kubectl annotate serviceaccount -n shop user-service eks.amazonaws.com/role-arn=${ROLE}`,
    ),
  },
  {
    row: "node role: told as such",
    facts: {
      now: NOW,
      variables: bare,
      caller: { kind: "caller", arn: NODE_SESSION },
      expected: IRSA.expected,
    },
    check: "node-role",
    shows: /the role of the machine/,
    mends: new RegExp(`eks.amazonaws.com/role-arn=${ROLE}`),
  },
  {
    row: "node role: the pod is older than the annotation, by the cluster's times",
    facts: {
      now: NOW,
      variables: bare,
      applicationCaller: NODE_SESSION,
      serviceAccount: { ...IRSA.serviceAccount, annotatedAt: later(-HOUR) },
      pod: plainPod,
    },
    check: "pod-age",
    shows: /it was made at 2026-11-29T12:00:00.000Z, the annotation at 2026-11-30T11:00:00/,
    mends: /kubectl rollout restart -n shop deployment/,
  },
  {
    row: "node role: the pod has no variables, and no time is known",
    facts: {
      now: NOW,
      variables: bare,
      caller: { kind: "caller", arn: NODE_SESSION },
      serviceAccount: {
        namespace: "shop",
        name: "user-service",
        annotations: IRSA.serviceAccount.annotations,
      },
    },
    check: "pod-age",
    shows: /without AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE: it is older/,
    mends: /kubectl rollout restart/,
  },
  {
    row: "the annotation was changed, and the pod has the role of before",
    facts: {
      ...IRSA_FILES,
      serviceAccount: {
        ...IRSA.serviceAccount,
        annotations: { "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/next" },
      },
    },
    check: "pod-age",
    shows: new RegExp(
      `was started with AWS_ROLE_ARN ${ROLE}; .* is annotated with arn:aws:iam::111122223333:role/next now`,
    ),
    mends: /kubectl rollout restart -n shop/,
  },
  {
    row: "the webhook did not run for a pod that is younger",
    facts: { ...IRSA_FILES, variables: bare, pod: plainPod },
    check: "webhook",
    shows: /younger than the annotation: the webhook did not run/,
    mends: /kubectl get mutatingwebhookconfiguration pod-identity-webhook/,
  },
  {
    row: "a container that the webhook was told to skip",
    facts: {
      ...IRSA_FILES,
      pod: {
        ...IRSA.pod,
        annotations: { "eks.amazonaws.com/skip-containers": "mayfly" },
        containers: [...IRSA.pod.containers, { name: "mayfly", variables: {} }],
      },
    },
    check: "webhook",
    shows: /skip-containers has mayfly/,
    mends: /remove eks\.amazonaws\.com\/skip-containers/,
  },
  {
    row: "the pod runs as the default service account",
    facts: { ...IRSA_FILES, variables: bare, pod: { ...plainPod, serviceAccount: "default" } },
    check: "service-account",
    shows: /the pod runs as shop\/default/,
    mends: /serviceAccountName: user-service/,
  },
  {
    row: "node role: an SDK that does not know web identity",
    facts: { ...IRSA_FILES, applicationCaller: NODE_SESSION },
    check: "sdk",
    shows: /has the variables of IRSA, and the application calls as .*node-group/,
    mends: /JavaScript v3 3\.458\.0, boto3 1\.34\.41/,
  },
  {
    row: "Could not load credentials: no source at all",
    facts: {
      now: NOW,
      variables: variables({ platform: "other", isMetadataOff: true }),
      caller: NO_CREDENTIALS,
    },
    check: "credential-source",
    shows: /no web identity, no container credentials, .* off \(AWS_EC2_METADATA_DISABLED\)/,
    mends: /aws sso login/,
  },
  {
    row: "Could not load credentials: a pod that nobody gave a role, on a node without metadata",
    facts: {
      now: NOW,
      variables: bare,
      instance: { kind: "unreachable", code: "EHOSTUNREACH" },
      caller: NO_CREDENTIALS,
    },
    check: "credential-source",
    shows: /the instance's metadata is out of reach/,
    mends: /annotation eks\.amazonaws\.com\/role-arn or an association/,
  },
  {
    row: "Could not load credentials: hop limit 1, seen from a container on EC2",
    facts: {
      now: NOW,
      variables: variables({ platform: "other" }),
      instance: { kind: "silent" },
      caller: NO_CREDENTIALS,
    },
    check: "hop-limit",
    shows: /accepts a connection, and its token does not arrive: the hop limit is 1/,
    mends: /modify-instance-metadata-options .*--http-put-response-hop-limit 2/,
  },
  {
    row: "Could not load credentials: hop limit 1, as aws ec2 describe-instances has it",
    facts: { ...INSTANCE, hopLimit: 1 },
    check: "hop-limit",
    shows: /HttpPutResponseHopLimit is 1/,
    mends: /--http-put-response-hop-limit 2/,
  },
  {
    row: "Could not load credentials: hop limit 1, from a pod",
    facts: { now: NOW, variables: bare, instance: { kind: "silent" }, caller: NO_CREDENTIALS },
    check: "hop-limit",
    shows: /has no role of its own, and the metadata's token does not arrive/,
    mends: /give the service account a role/,
  },
  {
    row: "Could not load credentials: Pod Identity's agent is missing",
    facts: {
      ...POD_IDENTITY,
      container: { kind: "unreachable", code: "ECONNREFUSED" },
      caller: NO_CREDENTIALS,
    },
    check: "pod-identity-agent",
    shows: /cannot be reached \(ECONNREFUSED\)/,
    mends: /aws eks create-addon --cluster-name main --addon-name eks-pod-identity-agent/,
  },
  {
    row: "Pod Identity's token may not be read",
    facts: {
      ...POD_IDENTITY,
      container: { kind: "no-token", code: "EACCES" },
      caller: NO_CREDENTIALS,
    },
    check: "pod-identity-agent",
    shows: /AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read \(EACCES\)/,
    mends: /securityContext\.fsGroup/,
  },
  {
    row: "169.254.170.23 is not a valid container metadata service hostname",
    facts: {
      ...POD_IDENTITY,
      applicationError: {
        name: "CredentialsProviderError",
        message: "169.254.170.23 is not a valid container metadata service hostname",
      },
    },
    check: "sdk",
    shows: /is not a valid container metadata service hostname: it is older than EKS Pod Identity/,
    mends: /JavaScript v3 3\.458\.0/,
  },
  {
    row: "Pod Identity: no association, as the agent says",
    facts: {
      now: NOW,
      variables: POD_IDENTITY.variables,
      container: {
        kind: "refused",
        status: 404,
        words: "(ResourceNotFoundException): No association found for service account token",
      },
      caller: NO_CREDENTIALS,
    },
    check: "pod-identity-association",
    shows: /answers 404: \(ResourceNotFoundException\)/,
    mends: /aws eks create-pod-identity-association --cluster-name/,
  },
  {
    row: "Pod Identity: no association, as aws eks lists them",
    facts: {
      ...POD_IDENTITY,
      associations: [{ ...POD_IDENTITY.associations[0], serviceAccount: "users" }],
    },
    check: "pod-identity-association",
    shows: /has no association; there is shop\/users in main/,
    mends: new RegExp(
      `--cluster-name main --namespace shop --service-account user-service --role-arn ${ROLE}`,
    ),
  },
  {
    row: "Pod Identity: the association is of another cluster",
    facts: {
      ...POD_IDENTITY,
      associations: [{ ...POD_IDENTITY.associations[0], cluster: "staging" }],
    },
    check: "pod-identity-association",
    shows: /there is shop\/user-service in staging/,
    mends: /--cluster-name main/,
  },
  {
    row: "Pod Identity: the pod is older than the association",
    facts: {
      ...POD_IDENTITY,
      variables: bare,
      caller: { kind: "caller", arn: NODE_SESSION },
      pod: plainPod,
      associations: [{ ...POD_IDENTITY.associations[0], createdAt: later(-HOUR) }],
    },
    check: "pod-age",
    shows: /without AWS_CONTAINER_CREDENTIALS_FULL_URI: it was made at .*, the association at/,
    mends: /kubectl rollout restart/,
  },
  {
    row: "Pod Identity: the trust policy lacks TagSession",
    facts: {
      ...POD_IDENTITY,
      container: {
        kind: "refused",
        status: 403,
        words: "(AccessDeniedException): Unauthorized Exception! EKS does not have permissions",
      },
      caller: NO_CREDENTIALS,
      trust: trusting(podIdentityStatement(["sts:AssumeRole"])),
    },
    check: "pod-identity-trust",
    shows: /allows pods\.eks\.amazonaws\.com no sts:TagSession/,
    mends: /set "Action": \["sts:AssumeRole","sts:TagSession"\]/,
  },
  {
    row: "Pod Identity: the trust policy is for another namespace",
    facts: {
      ...POD_IDENTITY,
      trust: trusting({
        ...podIdentityStatement(TAGGED),
        conditions: [
          {
            operator: "StringEquals",
            key: "aws:RequestTag/kubernetes-namespace",
            values: ["default"],
          },
        ],
      }),
    },
    check: "pod-identity-trust",
    shows: /wants aws:RequestTag\/kubernetes-namespace default \(StringEquals\); EKS says shop/,
    mends: /set aws:RequestTag\/kubernetes-namespace to shop/,
  },
  {
    row: "Pod Identity: the trust policy is for another cluster",
    facts: { ...POD_IDENTITY, cluster: { ...CLUSTER, arn: `${CLUSTER.arn}-2` } },
    check: "pod-identity-trust",
    shows: /EKS says arn:aws:eks:eu-west-1:111122223333:cluster\/main-2/,
    mends:
      /set aws:RequestTag\/eks-cluster-arn to arn:aws:eks:eu-west-1:111122223333:cluster\/main-2/,
  },
  {
    row: "Pod Identity without the trust policy: how to show it",
    facts: {
      now: NOW,
      variables: POD_IDENTITY.variables,
      container: { kind: "refused", status: 403, words: "(AccessDeniedException): no" },
      caller: NO_CREDENTIALS,
      expected: POD_IDENTITY.expected,
    },
    check: "pod-identity-trust",
    shows: /must have the statement .*"sts:TagSession"/,
    mends: /aws iam get-role --role-name user-service > role\.json/,
  },
  {
    row: "everybody may take the role",
    facts: {
      ...ECS,
      trust: trusting(...ECS.trust.statements, {
        effect: "Allow",
        actions: ["sts:AssumeRole"],
        principals: [{ type: "AWS", value: "*" }],
        conditions: [],
      }),
    },
    check: "trust-excess",
    shows: /the principal \* for sts:AssumeRole: it lets in everybody, of every account/,
    mends: /write the workload's own service/,
  },
  {
    row: "ECS: the grant is the execution role's",
    facts: {
      ...ECS,
      expected: { arn: ECS.taskDefinition.executionRoleArn, from: "the stack Mayfly" },
    },
    check: "execution-role",
    shows: /is the execution role/,
    mends: new RegExp(`name its task role ${ROLE} as the consumer`),
  },
  {
    row: "ECS: the task definition has no task role",
    facts: {
      now: NOW,
      variables: variables({ platform: "ecs" }),
      caller: { kind: "caller", arn: NODE_SESSION },
      expected: ECS.expected,
      taskDefinition: { family: "user-service" },
    },
    check: "task-role",
    shows: /has no taskRoleArn/,
    mends: new RegExp(`set taskRoleArn of user-service to ${ROLE}`),
  },
  {
    row: "ECS: its service may not take the role",
    facts: { ...ECS, trust: LAMBDA.trust },
    check: "service-trust",
    shows: /does not let in ecs-tasks\.amazonaws\.com/,
    mends: /allow sts:AssumeRole to \{"Service": "ecs-tasks\.amazonaws\.com"\}/,
  },
  {
    row: "EC2: the instance has no profile",
    facts: { ...INSTANCE, instance: { kind: "no-role" }, caller: NO_CREDENTIALS },
    check: "instance-role",
    shows: /no instance profile/,
    mends: /associate-iam-instance-profile/,
  },
  {
    row: "keys in the environment stand before the pod's role",
    facts: {
      ...IRSA,
      variables: variables({ roleArn: ROLE, tokenFile: TOKEN_FILE, keys: "permanent" }),
      caller: { kind: "caller", arn: "arn:aws:iam::111122223333:user/ci" },
    },
    check: "credential-source",
    shows: /takes this first, and never web identity/,
    mends: /remove AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN/,
  },
  {
    row: "IRSA stands before EKS Pod Identity",
    facts: {
      ...IRSA,
      variables: variables({ roleArn: ROLE, tokenFile: TOKEN_FILE, fullUri: POD_IDENTITY_URI }),
    },
    check: "credential-source",
    shows: /never EKS Pod Identity/,
    mends: /keep one: remove the annotation/,
  },
  {
    row: "the token's file is not for this user",
    facts: { ...IRSA, token: { kind: "unreadable", code: "EACCES" }, caller: NO_CREDENTIALS },
    check: "token-file",
    shows: /EACCES/,
    mends: /fsGroup of the pod to 65534/,
  },
  {
    row: "no route to STS",
    facts: {
      ...IRSA,
      caller: {
        kind: "failed",
        name: "Error",
        message: "getaddrinfo ENOTFOUND sts.eu-west-1.amazonaws.com",
        isNetwork: true,
      },
    },
    check: "sts-endpoint",
    shows: /ENOTFOUND/,
    mends: /com\.amazonaws\.eu-west-1\.sts/,
  },
  {
    row: "no Region",
    facts: {
      ...PERSON,
      variables: { platform: "other", keys: "none", profile: "work", isMetadataOff: false },
    },
    check: "region",
    shows: /not set/,
    mends: /set AWS_REGION/,
  },
  {
    row: "another role than the consumer's",
    facts: { ...PERSON, expected: IRSA.expected },
    check: "caller",
    shows: /--role says arn:aws:iam::111122223333:role\/user-service/,
    mends: /name the caller's role as the consumer \(roleArn\)/,
  },
];

/** A token of GitHub with another subject. */
const gitHubToken = (subject: string): IdentityFacts => ({
  ...GITHUB,
  caller: NO_CREDENTIALS,
  variables: variables({ platform: "github", isMetadataOff: true }),
  token: { ...GITHUB.token, subject },
});
const gitLabToken = (subject: string): IdentityFacts => ({
  ...GITLAB,
  caller: DENIED,
  token: { ...GITLAB.token, subject },
});
const REPOSITORY = "repo:acme/orders";
const GITHUB_PROVIDER =
  "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";

/** The statement of Mayfly's own policy for machines, with another one of its conditions. */
const machineTrust = (key: string, values: readonly string[]) =>
  trusting(
    ...ANYWHERE.trust.statements.map((each) => ({
      ...each,
      conditions: each.conditions.map((one) => (one.key === key ? { ...one, values } : one)),
    })),
  );
/** A policy for jobs of GitHub that has patterns of a subject. */
const subjectsLike = (...subjects: readonly string[]) => ({
  roleArn: ROLE,
  statements: GITHUB.trust.statements.map((each) => ({
    ...each,
    conditions: each.conditions.map((one) =>
      one.key.endsWith(":sub") ? { ...one, operator: "StringLike", values: subjects } : one,
    ),
  })),
});
const offline = (facts: IdentityFacts): IdentityFacts => ({ ...facts, caller: NO_CREDENTIALS });

/** Jobs of pipelines, other callers with tokens, and machines with certificates. */
const OUTSIDE: readonly Row[] = [
  {
    row: "GitHub: the job runs for another branch",
    facts: gitHubToken(`${REPOSITORY}:ref:refs/heads/next`),
    check: "trust-subject",
    shows:
      /wants the sub repo:acme\/orders:ref:refs\/heads\/main; the token has repo:acme\/orders:ref:refs\/heads\/next: the job runs for another branch/,
    mends:
      /^in the trust policy of user-service, set the condition's sub to repo:acme\/orders:ref:refs\/heads\/next/m,
  },
  {
    row: "GitHub: the job runs for a tag",
    facts: gitHubToken(`${REPOSITORY}:ref:refs/tags/v1`),
    check: "trust-subject",
    shows: /runs for another tag/,
    mends: /set the condition's sub to repo:acme\/orders:ref:refs\/tags\/v1/,
  },
  {
    row: "GitHub: the job names an environment",
    facts: gitHubToken(`${REPOSITORY}:environment:production`),
    check: "trust-subject",
    shows: /the job names an environment, and GitHub writes that in place of its branch or tag/,
    mends:
      /remove environment: from the job, unless it needs .*; or, .*set the condition's sub to repo:acme\/orders:environment:production/,
  },
  {
    row: "GitHub: the job names no environment, and the policy wants one",
    facts: {
      ...gitHubToken(`${REPOSITORY}:ref:refs/heads/main`),
      trust: ownTrust(
        webIdentityTrust(PLACE, {
          issuer: GITHUB_ISSUER,
          audience: STS,
          subjects: [`${REPOSITORY}:environment:production`],
        }),
      ),
    },
    check: "trust-subject",
    shows: /the job names no environment/,
    mends: /^set environment: production in the job; or in the trust policy/m,
  },
  {
    row: "GitHub: the job runs for a pull request",
    facts: gitHubToken(`${REPOSITORY}:pull_request`),
    check: "trust-subject",
    shows: /runs for a pull request, and GitHub does not say for which branch/,
    mends: /run the job on: push of the branch; or, if everybody who may open a pull request/,
  },
  {
    row: "GitHub: the repository customised the sub",
    facts: gitHubToken(
      "repository_owner_id:123:job_workflow_ref:acme/ci/.github/workflows/x.yml@main",
    ),
    check: "trust-subject",
    shows: /not GitHub's own form; the repository or its organization customised the sub/,
    mends: /actions\/oidc\/customization\/sub -F use_default=true; else in the trust policy/,
  },
  {
    row: "GitHub: ids in the sub of a repository that was renamed",
    facts: gitHubToken("repo:acme@123456/orders@456789:ref:refs/heads/main"),
    check: "trust-subject",
    shows: /GitHub writes the ids of owner and repository/,
    mends:
      /write repository: "acme@123456\/orders@456789" in the consumer's github, or in the trust/,
  },
  {
    row: "GitHub: another repository than a pattern names, in an environment",
    facts: {
      ...gitHubToken(`${REPOSITORY}:environment:production`),
      trust: subjectsLike("repo:acme/users:*"),
    },
    check: "trust-subject",
    shows: /the job is of another repository$/m,
    mends:
      /^set role-to-assume to the role of this repository; or, if this one is its, in the trust/,
  },
  {
    row: "GitHub: another branch of one of the repositories that a pattern names",
    facts: {
      ...gitHubToken(`${REPOSITORY}:ref:refs/heads/next`),
      trust: subjectsLike("repo:acme/*:ref:refs/heads/main"),
    },
    check: "trust-subject",
    shows: /the job runs for another branch$/m,
    mends: /^in the trust policy/,
  },
  {
    row: "GitHub: another branch, and the policy names another repository first",
    facts: {
      ...gitHubToken(`${REPOSITORY}:ref:refs/heads/next`),
      trust: subjectsLike("repo:acme/users:ref:refs/heads/main", `${REPOSITORY}:environment:a`),
    },
    check: "trust-subject",
    shows: /the job names no environment$/m,
    mends: /^set environment: a in the job; or/,
  },
  {
    row: "GitHub: a branch, and the policy wants pull requests",
    facts: {
      ...gitHubToken(`${REPOSITORY}:ref:refs/heads/next`),
      trust: subjectsLike(`${REPOSITORY}:pull_request`),
    },
    check: "trust-subject",
    shows: /the job does not run for a pull request$/m,
    mends: /^in the trust policy/,
  },
  {
    row: "GitHub: another repository, by the claims that its job printed",
    facts: {
      ...GITHUB_FILES,
      token: { ...GITHUB_FILES.token, subject: "repo:acme/users:pull_request" },
    },
    check: "trust-subject",
    shows: /the job is of another repository/,
    mends: /set the condition's sub to repo:acme\/users:pull_request/,
  },
  {
    row: "GitHub: a pattern under StringEquals",
    facts: {
      ...GITHUB_FILES,
      trust: ownTrust(
        webIdentityTrust(PLACE, {
          issuer: GITHUB_ISSUER,
          audience: STS,
          subjects: [`${REPOSITORY}:*`],
        }),
      ),
    },
    check: "trust-wildcard",
    shows: /StringEquals with the pattern repo:acme\/orders:\*/,
    mends: /write the exact value: .*repo:acme\/orders:ref:refs\/heads\/main/,
  },
  {
    row: "GitHub: another audience in the trust policy, by the claims that a job printed",
    facts: {
      ...GITHUB_FILES,
      token: { ...GITHUB_FILES.token, audiences: ["https://github.com/acme"] },
      provider: { ...GITHUB_FILES.provider, clientIds: [STS, "https://github.com/acme"] },
    },
    check: "trust-audience",
    shows: /wants the aud sts\.amazonaws\.com; the token has https:\/\/github\.com\/acme/,
    mends:
      /set audience: sts\.amazonaws\.com in the step aws-actions\/configure-aws-credentials; or in the trust/,
  },
  {
    row: "GitHub: another audience in the trust policy, from inside the job",
    facts: {
      ...gitHubToken(GITHUB.token.subject),
      provider: { ...GITHUB.provider, clientIds: ["https://github.com/acme"] },
      trust: ownTrust(
        webIdentityTrust(PLACE, {
          issuer: GITHUB_ISSUER,
          audience: "https://github.com/acme",
          subjects: [GITHUB.token.subject],
        }),
      ),
    },
    check: "trust-audience",
    shows: /wants the aud https:\/\/github\.com\/acme; the doctor asked for a token with sts/,
    mends: /look whether the step has audience: https:\/\/github\.com\/acme; if not, add it/,
  },
  {
    row: "GitHub: the job may not ask for a token",
    facts: {
      now: NOW,
      variables: variables({ platform: "github", isMetadataOff: true }),
      job: { pipeline: "github", hasToken: false, server: "https://github.com" },
      caller: NO_CREDENTIALS,
      trust: GITHUB.trust,
    },
    check: "job-token",
    shows: /ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set/,
    mends: /permissions: \{ id-token: write, contents: read \}.*pull requests from forks/,
  },
  {
    row: "GitHub did not give a token",
    facts: {
      ...gitHubToken(""),
      token: { kind: "unreadable", code: "status 503" },
    },
    check: "job-token",
    shows: /did not give the doctor one \(status 503\)/,
    mends: /run the doctor again/,
  },
  {
    row: "GitHub: the job took no role",
    facts: { ...gitHubToken(GITHUB.token.subject) },
    check: "credential-source",
    shows: /no source has credentials/,
    mends:
      /aws-actions\/configure-aws-credentials with role-to-assume: arn:aws:iam::111122223333:role\/user-service/,
  },
  {
    row: "GitHub: no OIDC provider in the account",
    facts: {
      ...gitHubToken(GITHUB.token.subject),
      provider: undefined,
      providers: [oidcProviderArn(PLACE, "https://gitlab.com")],
    },
    check: "oidc-provider",
    shows: /has no OIDC provider for it; it has gitlab\.com/,
    mends:
      /--url https:\/\/token\.actions\.githubusercontent\.com --client-id-list sts\.amazonaws\.com/,
  },
  {
    row: "GitHub: no OIDC provider, as STS says",
    facts: {
      now: NOW,
      variables: variables({ platform: "github", isMetadataOff: true }),
      job: GITHUB.job,
      token: GITHUB.token,
      applicationError: {
        name: "InvalidIdentityToken",
        message: `No OpenIDConnect provider found in your account for ${GITHUB_ISSUER}`,
      },
    },
    check: "oidc-provider",
    shows: /No OpenIDConnect provider found/,
    mends: /create-open-id-connect-provider --url https:\/\/token\.actions/,
  },
  {
    row: "GitHub: the provider is for an enterprise's issuer, and the token is not",
    facts: {
      ...gitHubToken(GITHUB.token.subject),
      trust: ownTrust(
        webIdentityTrust(PLACE, {
          issuer: `${GITHUB_ISSUER}/acme`,
          audience: STS,
          subjects: [GITHUB.token.subject],
        }),
      ),
    },
    check: "trust-provider",
    shows:
      /is for token\.actions\.githubusercontent\.com\/acme; the token is of token\.actions\.githubusercontent\.com$/m,
    mends: new RegExp(`"Federated": "${GITHUB_PROVIDER}"`),
  },
  {
    row: "GitHub: the provider lacks the audience",
    facts: {
      ...gitHubToken(GITHUB.token.subject),
      provider: { ...GITHUB.provider, clientIds: ["sts.amazon.com"] },
    },
    check: "oidc-audience",
    shows: /its provider lets in sts\.amazon\.com/,
    mends: new RegExp(`--open-id-connect-provider-arn ${GITHUB_PROVIDER} --client-id ${STS}`),
  },
  {
    row: "GitHub: another role than the expected one",
    facts: { ...GITHUB, caller: { kind: "caller", arn: NODE_SESSION } },
    check: "caller",
    shows: /--role says/,
    mends: /set role-to-assume of the step aws-actions\/configure-aws-credentials to arn/,
  },
  {
    row: "GitLab: the job runs for another branch",
    facts: gitLabToken("project_path:acme/shop/orders:ref_type:branch:ref:next"),
    check: "trust-subject",
    shows: /the job runs for another branch, as one of a merge request does/,
    mends: /set the condition's sub to project_path:acme\/shop\/orders:ref_type:branch:ref:next/,
  },
  {
    row: "GitLab: the job runs for a tag",
    facts: gitLabToken("project_path:acme/shop/orders:ref_type:tag:ref:v1"),
    check: "trust-subject",
    shows: /the job runs for a tag/,
    mends: /ref_type:tag:ref:v1/,
  },
  {
    row: "GitLab: another project",
    facts: gitLabToken("project_path:acme/shop/users:ref_type:branch:ref:main"),
    check: "trust-subject",
    shows: /the job is of another project/,
    mends: /project_path:acme\/shop\/users/,
  },
  {
    row: "GitLab: the project customised the sub",
    facts: gitLabToken("project_path:acme/shop/orders"),
    check: "trust-subject",
    shows: /not GitLab's own form; the project customised the sub/,
    mends:
      /set ci_id_token_sub_claim_components of the project to \["project_path", "ref_type", "ref"\]/,
  },
  {
    row: "GitLab: another audience",
    facts: {
      ...GITLAB,
      caller: DENIED,
      token: { ...GITLAB.token, audiences: [STS] },
      provider: { ...GITLAB.provider, clientIds: [STS, GITLAB_ISSUER] },
    },
    check: "trust-audience",
    shows: /wants the aud https:\/\/gitlab\.com; the token has sts\.amazonaws\.com/,
    mends:
      /^set aud: https:\/\/gitlab\.com of the token in the job's id_tokens; or in the trust policy .*"gitlab\.com:aud":"sts\.amazonaws\.com"/m,
  },
  {
    row: "GitLab: the provider lacks the audience",
    facts: { ...GITLAB, caller: DENIED, provider: { ...GITLAB.provider, clientIds: [STS] } },
    check: "oidc-audience",
    shows: /its provider lets in sts\.amazonaws\.com/,
    mends: /oidc-provider\/gitlab\.com --client-id https:\/\/gitlab\.com$/m,
  },
  {
    row: "GitLab: no OIDC provider in the account",
    facts: { ...GITLAB, caller: DENIED, provider: undefined, providers: [] },
    check: "oidc-provider",
    shows: /it has none/,
    mends: /--url https:\/\/gitlab\.com --client-id-list https:\/\/gitlab\.com/,
  },
  {
    row: "GitLab: the provider is of another GitLab",
    facts: {
      ...GITLAB,
      caller: DENIED,
      trust: ownTrust(
        webIdentityTrust(PLACE, {
          issuer: "https://gitlab.example.com",
          audience: GITLAB_ISSUER,
          subjects: [GITLAB.token.subject],
        }),
      ),
    },
    check: "trust-provider",
    shows: /is for gitlab\.example\.com; the token is of gitlab\.com/,
    mends: /oidc-provider\/gitlab\.com"/,
  },
  {
    row: "GitLab: the job declares no id_tokens",
    facts: {
      now: NOW,
      variables: variables({ platform: "gitlab", isMetadataOff: true }),
      job: { pipeline: "gitlab", hasToken: false, server: GITLAB_ISSUER },
      caller: NO_CREDENTIALS,
    },
    check: "job-token",
    shows: /no variable has a token of https:\/\/gitlab\.com: the job declares no id_tokens/,
    mends: /id_tokens: \{ AWS_ID_TOKEN: \{ aud: https:\/\/gitlab\.com \} \}/,
  },
  {
    row: "GitLab: the file of the token is not there",
    facts: { ...GITLAB, caller: NO_CREDENTIALS, token: { kind: "unreadable", code: "ENOENT" } },
    check: "token-file",
    shows: /cannot be read \(ENOENT\)/,
    mends: /write the token into it before the program starts/,
  },
  {
    row: "GitLab: the job outlived its token",
    facts: {
      ...GITLAB,
      caller: failed("ExpiredTokenException", "Token expired"),
      token: { ...GITLAB.token, expiresAt: later(-HOUR) },
    },
    check: "token-expiry",
    shows: /ended at 2026-11-30T11:00:00/,
    mends: /right before the role is assumed/,
  },
  {
    row: "a plain issuer: another sub",
    facts: { ...OIDC, caller: DENIED, token: { ...OIDC.token, subject: "22222222" } },
    check: "trust-subject",
    shows: /wants the sub 11111111-1111-1111-1111-111111111111; the token has 22222222$/m,
    mends: /set the condition's sub to 22222222: .*"sts\.windows\.net\/0a1b2c3d\/:sub":"22222222"/,
  },
  {
    row: "a plain issuer: another audience",
    facts: {
      ...OIDC,
      caller: DENIED,
      token: { ...OIDC.token, audiences: ["api://other"] },
      provider: { ...OIDC.provider, clientIds: ["api://other"] },
    },
    check: "trust-audience",
    shows: /wants the aud api:\/\/mayfly; the token has api:\/\/other/,
    mends: /ask the issuer for a token with the aud api:\/\/mayfly; or/,
  },
  {
    row: "a plain issuer: no audience at all",
    facts: {
      ...OIDC,
      caller: DENIED,
      token: { ...OIDC.token, audiences: [] },
      trust: undefined,
      provider: undefined,
    },
    check: "token-audience",
    shows: /has no aud/,
    mends: /ask its issuer for a token with an audience/,
  },
  {
    row: "a plain issuer: the slash at the end of the issuer is missing",
    facts: {
      ...OIDC,
      caller: DENIED,
      trust: ownTrust(
        webIdentityTrust(PLACE, {
          issuer: "https://sts.windows.net/0a1b2c3d",
          audience: "api://mayfly",
          subjects: [OIDC.token.subject],
        }),
      ),
    },
    check: "trust-provider",
    shows: /is for sts\.windows\.net\/0a1b2c3d; the token is of sts\.windows\.net\/0a1b2c3d\/$/m,
    mends: /oidc-provider\/sts\.windows\.net\/0a1b2c3d\/"/,
  },
  {
    row: "a plain issuer: AWS_ROLE_ARN has a typo",
    facts: {
      ...OIDC,
      caller: DENIED,
      variables: variables({ platform: "other", roleArn: `${ROLE}s`, tokenFile: "/run/token" }),
    },
    check: "web-identity-role",
    shows: /AWS_ROLE_ARN asks for .*user-services; the role with the trust policy is/,
    mends: new RegExp(`^set AWS_ROLE_ARN to ${ROLE}$`, "m"),
  },
  {
    row: "Google: another service account, and what IAM calls its claims",
    facts: {
      ...GOOGLE_FILES,
      token: { ...GOOGLE_FILES.token, subject: "105", authorizedParty: "105" },
    },
    check: "trust-subject",
    shows: /the token has 105/,
    mends: /"accounts\.google\.com:aud":"105","accounts\.google\.com:oaud":"mayfly"/,
  },
  {
    row: "Roles Anywhere: the trust policy lacks TagSession and SetSourceIdentity",
    facts: offline({
      ...ANYWHERE,
      trust: trusting(
        ...ANYWHERE.trust.statements.map((each) => ({ ...each, actions: ["sts:AssumeRole"] })),
      ),
    }),
    check: "anywhere-trust",
    shows: /allows rolesanywhere\.amazonaws\.com no sts:TagSession and no sts:SetSourceIdentity/,
    mends: /set "Action": \["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"\]/,
  },
  {
    row: "Roles Anywhere: the trust policy does not name the service",
    facts: offline({ ...ANYWHERE, trust: INSTANCE.trust }),
    check: "anywhere-trust",
    shows: /does not name rolesanywhere\.amazonaws\.com/,
    mends: /"aws:PrincipalTag\/x509Subject\/CN":"billing\.corp\.example\.com"/,
  },
  {
    row: "Roles Anywhere: the condition on the trust anchor differs",
    facts: offline({
      ...ANYWHERE,
      trust: machineTrust("aws:SourceArn", [`${ANCHOR.slice(0, -1)}0`]),
    }),
    check: "anywhere-trust",
    shows: new RegExp(`wants aws:SourceArn .* \\(ArnEquals\\); IAM Roles Anywhere says ${ANCHOR}`),
    mends: new RegExp(`set aws:SourceArn to ${ANCHOR}`),
  },
  {
    row: "Roles Anywhere: the common name differs",
    facts: {
      ...ANYWHERE_FILES,
      trust: machineTrust("aws:PrincipalTag/x509Subject/CN", ["db.corp.example.com"]),
    },
    check: "anywhere-trust",
    shows:
      /wants aws:PrincipalTag\/x509Subject\/CN db\.corp\.example\.com \(StringEquals\); IAM Roles Anywhere says billing/,
    mends:
      /set aws:PrincipalTag\/x509Subject\/CN to billing\.corp\.example\.com; if the statement is another workload's/,
  },
  {
    row: "Roles Anywhere: the certificate has no OU",
    facts: {
      ...ANYWHERE_FILES,
      certificate: {
        ...ANYWHERE_FILES.certificate,
        subject: { CN: ["billing.corp.example.com"], O: ["Acme"] },
      },
    },
    check: "anywhere-trust",
    shows: /x509Subject\/OU Billing \(StringEquals\); IAM Roles Anywhere says none/,
    mends: /leave it and add the statement/,
  },
  {
    row: "Roles Anywhere: the helper asks for another role",
    facts: offline({
      ...ANYWHERE,
      helper: { ...ANYWHERE.helper, roleArn: `${ROLE}s` },
      anywhereProfiles: [{ ...ANYWHERE.anywhereProfiles[0], roleArns: [`${ROLE}s`] }],
    }),
    check: "anywhere-trust",
    shows: /the credential helper asks for .*user-services/,
    mends: new RegExp(`set --role-arn in credential_process to ${ROLE}`),
  },
  {
    row: "Roles Anywhere without the trust policy: how to show it",
    facts: offline({ ...ANYWHERE, trust: undefined }),
    check: "anywhere-trust",
    shows: /must have the statement .*"sts:SetSourceIdentity"/,
    mends: /aws iam get-role --role-name user-service > role\.json/,
  },
  {
    row: "Roles Anywhere: two OUs",
    facts: {
      ...ANYWHERE_FILES,
      certificate: {
        ...ANYWHERE_FILES.certificate,
        subject: { ...ANYWHERE_FILES.certificate.subject, OU: ["Billing", "EU"] },
      },
    },
    check: "anywhere-trust",
    shows: /cannot be decided here: StringEquals aws:PrincipalTag\/x509Subject\/OU Billing$/m,
    mends: /compare it with what CloudTrail has/,
  },
  {
    row: "Roles Anywhere: a name that AWS may call otherwise than OpenSSL",
    facts: {
      ...ANYWHERE_FILES,
      certificate: {
        ...ANYWHERE_FILES.certificate,
        subject: { CN: ["billing.corp.example.com"], emailAddress: ["ops@example.com"] },
      },
      trust: trusting(
        ...ANYWHERE_FILES.trust.statements.map((each) => ({
          ...each,
          conditions: [
            ...each.conditions.filter(({ key }) => !/OU?$/.test(key)),
            {
              operator: "StringEquals",
              key: "aws:PrincipalTag/x509Subject/Email",
              values: ["ops@example.com"],
            },
          ],
        })),
      ),
    },
    check: "anywhere-trust",
    shows: /cannot be decided here: StringEquals aws:PrincipalTag\/x509Subject\/Email/,
    mends: /leave it there/,
  },
  {
    row: "Roles Anywhere: a profile with a mapping of its own",
    facts: {
      ...ANYWHERE_FILES,
      anywhereProfiles: [{ ...ANYWHERE_FILES.anywhereProfiles[0], hasOwnMapping: true }],
    },
    check: "anywhere-trust",
    shows: /cannot be decided here: StringEquals aws:PrincipalTag\/x509Subject\/CN/,
    mends: /leave it there/,
  },
  {
    row: "Roles Anywhere: the profile does not list the role",
    facts: offline({
      ...ANYWHERE,
      anywhereProfiles: [
        { ...ANYWHERE.anywhereProfiles[0], roleArns: ["arn:aws:iam::111122223333:role/other"] },
      ],
    }),
    check: "anywhere-profile",
    shows: new RegExp(`it does not list ${ROLE}; it lists arn:aws:iam::111122223333:role/other`),
    mends: new RegExp(
      `update-profile --profile-id 89abcdef-0123-4567-89ab-cdef01234567 --role-arns arn:aws:iam::111122223333:role/other ${ROLE};`,
    ),
  },
  {
    row: "Roles Anywhere: the profile is disabled",
    facts: offline({
      ...ANYWHERE,
      anywhereProfiles: [{ ...ANYWHERE.anywhereProfiles[0], isEnabled: false }],
    }),
    check: "anywhere-profile",
    shows: /it is disabled/,
    mends: /aws rolesanywhere enable-profile --profile-id 89abcdef/,
  },
  {
    row: "Roles Anywhere: there is no such profile",
    facts: offline({
      ...ANYWHERE,
      anywhereProfiles: [{ ...ANYWHERE.anywhereProfiles[0], arn: `${PROFILE}0` }],
    }),
    check: "anywhere-profile",
    shows: /there is no such profile; there is arn:aws:rolesanywhere/,
    mends: /^set --profile-arn in credential_process/,
  },
  {
    row: "Roles Anywhere: the profiles of another Region were shown",
    facts: offline({
      ...ANYWHERE,
      anywhereProfiles: [
        { ...ANYWHERE.anywhereProfiles[0], arn: PROFILE.replace("eu-west-1", "us-east-1") },
      ],
    }),
    check: "anywhere-profile",
    shows: /which has none of its Region and account: arn:aws:rolesanywhere:us-east-1/,
    mends: /^aws rolesanywhere list-profiles --region eu-west-1 > list-profiles\.json, and add/,
  },
  {
    row: "Roles Anywhere: a list without trust anchors was shown",
    facts: offline({ ...ANYWHERE, trustAnchors: [] }),
    check: "trust-anchor",
    shows: /has none of its Region and account: none/,
    mends: /^aws rolesanywhere list-trust-anchors --region eu-west-1/,
  },
  {
    row: "Roles Anywhere: the trust anchor is disabled",
    facts: offline({ ...ANYWHERE, trustAnchors: [{ arn: ANCHOR, isEnabled: false }] }),
    check: "trust-anchor",
    shows: /it is disabled/,
    mends: /aws rolesanywhere enable-trust-anchor --trust-anchor-id 01234567/,
  },
  {
    row: "Roles Anywhere: there is no such trust anchor",
    facts: offline({ ...ANYWHERE, trustAnchors: [{ arn: `${ANCHOR}0`, isEnabled: true }] }),
    check: "trust-anchor",
    shows: /there is no such trust anchor; there is arn:aws:rolesanywhere/,
    mends: /set --trust-anchor-arn in credential_process/,
  },
  {
    row: "Roles Anywhere: trust anchor and profile are of two Regions",
    facts: offline({
      ...ANYWHERE,
      helper: { ...ANYWHERE.helper, profileArn: PROFILE.replace("eu-west-1", "us-east-1") },
      anywhereProfiles: undefined,
    }),
    check: "trust-anchor",
    shows: /it is in eu-west-1 111122223333, and the profile .* in us-east-1/,
    mends: /of one Region and account/,
  },
  {
    row: "Roles Anywhere: the certificate has ended",
    facts: offline({
      ...ANYWHERE,
      certificate: { ...ANYWHERE.certificate, notAfter: later(-HOUR) },
    }),
    check: "machine-certificate",
    shows: /it ended at 2026-11-30T11:00:00.000Z; it is 2026-11-30T12:00:00.000Z here/,
    mends: /issue the next certificate by the CA of the trust anchor/,
  },
  {
    row: "Roles Anywhere: the certificate is not valid yet",
    facts: offline({
      ...ANYWHERE,
      certificate: { ...ANYWHERE.certificate, notBefore: later(HOUR) },
    }),
    check: "machine-certificate",
    shows: /valid from 2026-11-30T13:00:00/,
    mends: /clock/,
  },
  {
    row: "Roles Anywhere: the certificate ends soon",
    facts: {
      ...ANYWHERE,
      certificate: {
        ...ANYWHERE.certificate,
        notBefore: later(-99 * 24 * HOUR),
        notAfter: later(24 * HOUR),
      },
    },
    check: "machine-certificate",
    shows: /it ends at 2026-12-01/,
    mends: /with the same subject/,
  },
  {
    row: "Roles Anywhere: the certificate may not be read",
    facts: offline({ ...ANYWHERE, certificate: { kind: "unreadable", code: "EACCES" } }),
    check: "machine-certificate",
    shows: /cannot be read \(EACCES\)/,
    mends: /let the user of the credential helper read it/,
  },
  {
    row: "Roles Anywhere: a certificate that is no PEM",
    facts: offline({ ...ANYWHERE, certificate: { kind: "unreadable", code: "MALFORMED" } }),
    check: "machine-certificate",
    shows: /no certificate in PEM/,
    mends: /openssl x509 -in/,
  },
  {
    row: "Roles Anywhere: every certificate of every trust anchor",
    facts: {
      ...ANYWHERE,
      trust: trusting(...ANYWHERE.trust.statements.map((each) => ({ ...each, conditions: [] }))),
    },
    check: "trust-excess",
    shows:
      /certificates of every trust anchor of the account .*, and every certificate of a trust anchor/,
    mends: /write the statement .*"aws:SourceArn"/,
  },
];
ROWS.push(...OUTSIDE);

const shown = ({ fix }: Finding): string => (fix?.kind === "step" ? fix.text : "");

test.each(ROWS)("$row", ({ facts, check, shows, mends }) => {
  const findings = lookAtIdentity(facts);
  const named = findings.filter((each) => each.check === check && each.verdict !== "ok");
  expect(named.map(({ evidence }) => evidence).join("\n")).toMatch(shows);
  expect(named.map(shown).join("\n")).toMatch(mends);
});

const OTHER_AUDIENCE = ownTrust(
  webIdentityTrust(PLACE, {
    issuer: GITHUB_ISSUER,
    audience: "https://github.com/acme",
    subjects: [GITHUB.token.subject],
  }),
);

/** Findings beside the cause that say the same in other words, and no other cause. */
const SYMPTOMS = new Set(["caller", "node-role", "credential-source"]);

test.each(ROWS)("$row: and no other cause", ({ facts, check }) => {
  const others = lookAtIdentity(facts).filter(
    (each) => each.verdict === "broken" && each.check !== check && !SYMPTOMS.has(each.check),
  );
  expect(others).toEqual([]);
});

const MALFORMED = { kind: "unreadable", code: "MALFORMED" } as const;

/** The same role, which machines with a certificate may take, too. */
const alsoOf = ({ trust }: Pick<typeof ECS | typeof INSTANCE | typeof LAMBDA, "trust">) =>
  trusting(...trust.statements, ...ANYWHERE.trust.statements);

const OWN_ISSUER = "kube.example.com";
const OWN_PROVIDER = PROVIDER.replace(ISSUER, OWN_ISSUER);
const OWN_CLUSTER: IdentityFacts = {
  ...IRSA,
  token: { ...IRSA.token, issuer: `https://${OWN_ISSUER}`, audiences: ["aws"] },
  cluster: undefined,
  providers: [OWN_PROVIDER],
  provider: { url: OWN_ISSUER, clientIds: ["aws"] },
  trust: trusting({
    ...claims(SUBJECT, "aws", OWN_ISSUER),
    principals: [{ type: "Federated", value: OWN_PROVIDER }],
  }),
};

test.each([
  ["IRSA", IRSA],
  ["IRSA, from files", IRSA_FILES],
  ["EKS Pod Identity", POD_IDENTITY],
  ["an ECS task", ECS],
  ["an EC2 instance", INSTANCE],
  ["a function", LAMBDA],
  ["a person", PERSON],
  ["a job of GitHub", GITHUB],
  ["a job of GitHub, from its claims", GITHUB_FILES],
  ["a job of GitLab", GITLAB],
  ["a job of GitLab, from its claims", GITLAB_FILES],
  ["a job of GitHub with another audience that works", { ...GITHUB, trust: OTHER_AUDIENCE }],
  [
    "a job of GitHub with the role of its own instance",
    {
      ...GITHUB,
      variables: variables({ platform: "github" }),
      trust: INSTANCE.trust,
      providers: [],
      provider: undefined,
    },
  ],
  ["a token of a plain issuer", OIDC],
  ["a token of a plain issuer, from its claims", OIDC_FILES],
  ["a token of Google, from its claims", GOOGLE_FILES],
  ["a machine with a certificate", ANYWHERE],
  ["a machine with a certificate, from files", ANYWHERE_FILES],
  ["a machine whose certificate is in another format", { ...ANYWHERE, certificate: MALFORMED }],
  ["a machine, and the trust anchors of another Region", { ...ANYWHERE, trustAnchors: [] }],
  ["a task whose role machines have, too", { ...ECS, caller: undefined, trust: alsoOf(ECS) }],
  ["an instance, the same", { ...INSTANCE, caller: undefined, trust: alsoOf(INSTANCE) }],
  ["a function, the same", { ...LAMBDA, caller: undefined, trust: alsoOf(LAMBDA) }],
  ["a cluster of one's own, with an audience of its own", OWN_CLUSTER],
] as const)("a healthy workload has nothing but ok: %s", (_, facts: IdentityFacts) => {
  const findings = lookAtIdentity(facts);
  expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
  expect(worstOf(findings)).toBe("ok");
});

test("every check names a cause in some row", () => {
  const rows = new Set(ROWS.map(({ check }) => check));
  // conditions of other kinds, and what nobody knows, are no causes
  const unnamed = Object.keys(IDENTITY_CHECKS).filter((check) => !rows.has(check));
  expect(unnamed).toEqual(["trust-conditions", "kubernetes"]);
});

test("every finding that is not ok has its remedy, and every finding evidence", () => {
  const findings = ROWS.flatMap(({ facts }) => lookAtIdentity(facts));
  expect(findings.filter(({ verdict, fix }) => (verdict === "ok") === (fix !== undefined))).toEqual(
    [],
  );
  expect(findings.filter(({ evidence, subject }) => evidence === "" || subject === "")).toEqual([]);
});

const [MACHINE] = ANYWHERE_FILES.certificate.subject.CN;

/** A job with this subject, and the role that Mayfly makes for it. */
const ofToken = (files: typeof GITHUB_FILES, subject: string): IdentityFacts => ({
  ...files,
  token: { ...files.token, subject },
  trust: ownTrust(
    webIdentityTrust(PLACE, {
      issuer: files.token.issuer,
      audience: files.token.audiences[0],
      subjects: [subject],
    }),
  ),
});

test.each<[string, IdentityFacts]>([
  ...(
    [{ branch: "main" }, { tag: "v1" }, { environment: "a:b" }, { pullRequest: true }] as const
  ).map((jobs): [string, IdentityFacts] => {
    const subject = gitHubSubject("acme/orders", jobs);
    return [subject, ofToken(GITHUB_FILES, subject)];
  }),
  ...[{ branch: "main" }, { tag: "v1" }].map((jobs): [string, IdentityFacts] => {
    const subject = gitLabSubject("acme/shop/orders", jobs);
    return [subject, ofToken(GITLAB_FILES, subject)];
  }),
  [
    "a machine by its CN alone",
    {
      ...ANYWHERE_FILES,
      trust: ownTrust(rolesAnywhereTrust({ trustAnchorArn: ANCHOR, commonName: MACHINE })),
    },
  ],
  [
    "pods",
    {
      ...POD_IDENTITY,
      trust: ownTrust(
        podIdentityTrust(PLACE, {
          cluster: "main",
          namespace: "shop",
          serviceAccounts: ["user-service", "reporting"],
        }),
      ),
    },
  ],
  ["tasks", { ...ECS, trust: ownTrust(ecsTaskTrust(PLACE)) }],
  ["instances", { ...INSTANCE, trust: ownTrust(ec2Trust()) }],
  ["functions", { ...LAMBDA, trust: ownTrust(lambdaTrust()) }],
])("what Mayfly's own constructs write is ok: %s", (_, facts) => {
  const findings = lookAtIdentity(facts);
  expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
  const ofTrust = findings.map(({ check }) => check).filter((check) => /trust/.test(check));
  expect(ofTrust).not.toEqual([]);
});
