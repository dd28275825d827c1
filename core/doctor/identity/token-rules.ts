import { issuerName, STS_AUDIENCE } from "../../aws/workload-identity.ts";
import { type Instant, iso } from "../../time.ts";
import { broken, type Found, fine } from "../found.ts";
import type { IdentityFacts } from "./identity-facts.ts";
import {
  accountInWords,
  claimsOf,
  failureInWords,
  failureLike,
  kubernetesIdentity,
} from "./workload.ts";

const PROJECTED = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
const LEGACY = "/var/run/secrets/kubernetes.io/serviceaccount/token";

const RESTART = "restart the pods: kubectl rollout restart";

const fileOf = ({ variables }: IdentityFacts): string => variables?.tokenFile ?? PROJECTED;

/** The file is there, this user may read it, and it is a token. */
export function tokenFile(facts: IdentityFacts): readonly Found[] {
  const { token, variables } = facts;
  const subject = fileOf(facts);
  if (token === undefined || variables?.tokenFile === undefined) return [];
  if (token.kind === "claims")
    return [fine(subject, `of ${token.issuer}, for ${token.subject ?? "no sub"}`)];
  switch (token.code) {
    case "EACCES":
      return [
        broken(
          subject,
          "this user may not read it (EACCES)",
          "set securityContext.fsGroup of the pod to 65534, or to a group of its user",
        ),
      ];
    case "MALFORMED":
      return [
        broken(
          subject,
          "it is no JSON Web Token",
          `set AWS_WEB_IDENTITY_TOKEN_FILE to ${PROJECTED}, where the webhook projects it`,
        ),
      ];
    default:
      return [
        broken(
          subject,
          `it cannot be read (${token.code})`,
          `${RESTART}, so that the webhook mounts it; a file of your own must be there before the program starts`,
        ),
      ];
  }
}

/** The token on disk is valid now; a program that keeps an old one is told apart. */
export function tokenExpiry(facts: IdentityFacts): readonly Found[] {
  const { token, now } = facts;
  const expired = failureLike(facts, /\bExpiredToken/);
  const subject = fileOf(facts);
  const expiresAt = token?.kind === "claims" ? token.expiresAt : undefined;
  if (expiresAt !== undefined && expiresAt <= now)
    return [
      broken(
        subject,
        `the token ended at ${iso(expiresAt)}; it is ${iso(now)} here`,
        "mount the token itself, not a copy: kubelet writes the next one in time. If it is mounted, check the clocks of node and pod",
      ),
    ];
  if (expired !== undefined) return [kept(subject, failureInWords(expired), expiresAt)];
  return expiresAt === undefined ? [] : [fine(subject, `good until ${iso(expiresAt)}`)];
}

const kept = (subject: string, error: string, expiresAt: Instant | undefined): Found =>
  broken(
    subject,
    expiresAt === undefined
      ? error
      : `${error}; but the token in the file is good until ${iso(expiresAt)}`,
    "let the program read the file again for each AssumeRoleWithWebIdentity: use the SDK's default credentials instead of a token that was read once; until then restart the pods",
  );

/** The token is for STS. */
export function tokenAudience(facts: IdentityFacts): readonly Found[] {
  const { token, serviceAccount } = facts;
  if (kubernetesIdentity(facts) !== "irsa") return [];
  const without = failureLike(facts, /Missing a required claim: aud/);
  const audiences = token?.kind === "claims" ? token.audiences : undefined;
  const subject = fileOf(facts);
  if (without !== undefined || audiences?.length === 0)
    return [
      broken(
        subject,
        `${without === undefined ? "the token has no aud" : failureInWords(without)}: it is the old token of a service account (${LEGACY})`,
        `set AWS_WEB_IDENTITY_TOKEN_FILE to ${PROJECTED}: a projected token with the audience ${STS_AUDIENCE}`,
      ),
    ];
  const wanted = claimsOf(facts).audiences;
  const isOther = !wanted.includes(STS_AUDIENCE);
  if (isOther && (audiences !== undefined || serviceAccount !== undefined))
    return [
      broken(
        subject,
        `the token's aud is ${wanted.join(", ")}, not ${STS_AUDIENCE}`,
        `remove the annotation eks.amazonaws.com/audience of ${accountInWords(facts)}, or set audience: ${STS_AUDIENCE} in the projected volume; and restart the pods`,
      ),
    ];
  return audiences === undefined ? [] : [fine(subject, `for ${STS_AUDIENCE}`)];
}

const isPossible = (facts: IdentityFacts): boolean => kubernetesIdentity(facts) === "irsa";

/** The account knows the cluster's issuer. */
export function oidcProvider(facts: IdentityFacts): readonly Found[] {
  const { providers, provider } = facts;
  if (!isPossible(facts)) return [];
  const failure = failureLike(facts, /No OpenIDConnect provider found/);
  const [, named] = /found in your account for (https:\/\/\S+)/.exec(failure?.message ?? "") ?? [];
  const issuer = claimsOf(facts).issuer ?? named;
  const subject = issuer ?? "the cluster's issuer";
  const create = `aws iam create-open-id-connect-provider --url ${issuer ?? "<issuer>"} --client-id-list ${STS_AUDIENCE}`;
  if (failure !== undefined) return [broken(subject, failureInWords(failure), create)];
  if (issuer === undefined) return [];
  const known = [...(providers ?? []), ...(provider === undefined ? [] : [provider.url])].map(
    (each) => each.replace(/^.*oidc-provider\//, ""),
  );
  if (known.includes(issuerName(issuer)))
    return [fine(subject, "the account has its OIDC provider")];
  return providers === undefined
    ? []
    : [
        broken(
          subject,
          `the account has no OIDC provider for it; it has ${known.join(", ") || "none"}`,
          create,
        ),
      ];
}

/** The provider lets in tokens for STS. */
export function oidcAudience(facts: IdentityFacts): readonly Found[] {
  const { provider, trust } = facts;
  if (!isPossible(facts)) return [];
  const failure = failureLike(facts, /Incorrect token audience/);
  const issuer = claimsOf(facts).issuer ?? provider?.url ?? "the cluster's issuer";
  const arn =
    trust?.statements
      .flatMap(({ principals }) => principals)
      .find(({ type, value }) => type === "Federated" && value.endsWith(issuerName(issuer)))
      ?.value ?? `arn:aws:iam::<account>:oidc-provider/${issuerName(issuer)}`;
  const lacks = provider !== undefined && !provider.clientIds.includes(STS_AUDIENCE);
  if (failure === undefined && !lacks)
    return provider === undefined ? [] : [fine(issuer, `its provider lets in ${STS_AUDIENCE}`)];
  const has = lacks ? `its provider lets in ${provider.clientIds.join(", ") || "nothing"}` : "";
  const evidence = [failure === undefined ? "" : failureInWords(failure), has]
    .filter((each) => each !== "")
    .join("; ");
  return [
    broken(
      issuer,
      evidence,
      `aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn ${arn} --client-id ${STS_AUDIENCE}`,
    ),
  ];
}
