import {
  CLUSTER,
  ECS,
  HOUR,
  INSTANCE,
  IRSA,
  IRSA_FILES,
  ISSUER,
  LAMBDA,
  later,
  NODE_SESSION,
  NOW,
  PERSON,
  POD_IDENTITY,
  POD_IDENTITY_URI,
  PROVIDER,
  podIdentityStatement,
  ROLE,
  SUBJECT,
  TOKEN_FILE,
  variables,
} from "../healthy.ts";

import { claims, DENIED, failed, NO_CREDENTIALS, type Row, STS, trusting } from "./row.ts";

const plainPod = { ...IRSA.pod, containers: [{ name: "app", variables: {} }] };
const bare = variables({});
const TAGGED = ["sts:AssumeRole", "sts:TagSession"];

/** Pods, tasks, instances, functions and people. */
export const INSIDE_AWS: readonly Row[] = [
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
