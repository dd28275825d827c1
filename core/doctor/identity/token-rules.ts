import { GOOGLE } from "../../aws/trust/web-identity.ts";
import { issuerName, STS_AUDIENCE } from "../../aws/workload-identity.ts";
import { type Instant, iso } from "../../time.ts";
import { broken, type Found, fine } from "../found.ts";
import type { IdentityFacts } from "./identity-facts.ts";
import { isExact } from "./trust-conditions.ts";
import { isClaim } from "./web-identity-trust.ts";
import {
  accountInWords,
  claimsOf,
  failureInWords,
  failureLike,
  isByToken,
  tokenKind,
  works,
} from "./workload.ts";

const PROJECTED = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
const LEGACY = "/var/run/secrets/kubernetes.io/serviceaccount/token";

const RESTART = "restart the pods: kubectl rollout restart";

const isOfPod = (facts: IdentityFacts): boolean => tokenKind(facts) === "service-account";

const fileOf = (facts: IdentityFacts): string =>
  facts.variables?.tokenFile ?? (isOfPod(facts) ? PROJECTED : "the token");

/** The file is there, this user may read it, and it is a token. */
export function tokenFile(facts: IdentityFacts): readonly Found[] {
  const { token, variables } = facts;
  const subject = fileOf(facts);
  if (token === undefined || variables?.tokenFile === undefined) return [];
  if (token.kind === "claims")
    return [fine(subject, `of ${token.issuer ?? "no iss"}, for ${token.subject ?? "no sub"}`)];
  switch (token.code) {
    case "EACCES":
      return [
        broken(
          subject,
          "this user may not read it (EACCES)",
          isOfPod(facts)
            ? "set securityContext.fsGroup of the pod to 65534, or to a group of its user"
            : "let this user read it, and nobody else",
        ),
      ];
    case "MALFORMED":
      return [
        broken(
          subject,
          "it is no JSON Web Token",
          isOfPod(facts)
            ? `set AWS_WEB_IDENTITY_TOKEN_FILE to ${PROJECTED}, where the webhook projects it`
            : "write the token itself into it, and nothing else: three parts with dots between them",
        ),
      ];
    default:
      return [
        broken(
          subject,
          `it cannot be read (${token.code})`,
          isOfPod(facts)
            ? `${RESTART}, so that the webhook mounts it; a file of your own must be there before the program starts`
            : "write the token into it before the program starts, or correct AWS_WEB_IDENTITY_TOKEN_FILE",
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
        isOfPod(facts)
          ? "mount the token itself, not a copy: kubelet writes the next one in time. If it is mounted, check the clocks of node and pod"
          : NEXT,
      ),
    ];
  if (expired !== undefined && !isOfPod(facts))
    return [broken(subject, failureInWords(expired), NEXT)];
  if (expired !== undefined) return [kept(subject, failureInWords(expired), expiresAt)];
  return expiresAt === undefined ? [] : [fine(subject, `good until ${iso(expiresAt)}`)];
}

/** A token that nobody renews by itself. */
const NEXT =
  "ask for a token right before the role is assumed: GitHub's live for five minutes, GitLab's as long as the job may run; in a file, let who issues it write the next one in time";

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
  const kind = tokenKind(facts);
  if (kind === undefined) return [];
  if (kind !== "service-account") return anyAudience(facts);
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
  // clusters of one's own may have an audience of one's own
  if (audiences !== undefined && works(facts))
    return [fine(subject, `for ${audiences.join(", ")}`)];
  const wanted = claimsOf(facts).audiences ?? [];
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

/** Whom a token is for, its issuer is told by who asks. */
function anyAudience({ token, ...facts }: IdentityFacts): readonly Found[] {
  if (token?.kind !== "claims") return [];
  const subject = fileOf({ token, ...facts });
  if (token.audiences.length > 0) return [fine(subject, `for ${token.audiences.join(", ")}`)];
  return [
    broken(
      subject,
      "the token has no aud: STS takes none without",
      "ask its issuer for a token with an audience: one that the OIDC provider and the trust policy name",
    ),
  ];
}

/** The audiences of which the provider must let in one. Undefined: not known. */
function audiencesOf(facts: IdentityFacts): readonly string[] | undefined {
  const { token, trust } = facts;
  if (isOfPod(facts))
    return token?.kind === "claims" && works(facts) ? token.audiences : [STS_AUDIENCE];
  if (token?.kind !== "claims") return tokenKind(facts) === "github" ? [STS_AUDIENCE] : undefined;
  if (!token.isOwn) return token.audiences;
  // the step may ask for what the policy wants
  const wanted = trust?.statements
    .flatMap(({ conditions }) => conditions)
    .filter((each) => isClaim(each, "aud") && isExact(each))
    .flatMap(({ values }) => values);
  return wanted === undefined || wanted.length === 0 ? token.audiences : wanted;
}

const isOfGoogle = (facts: IdentityFacts): boolean => claimsOf(facts).issuer === GOOGLE;

/** The account knows the token's issuer. */
export function oidcProvider(facts: IdentityFacts): readonly Found[] {
  const { providers, provider } = facts;
  if (!isByToken(facts) || isOfGoogle(facts)) return [];
  const failure = failureLike(facts, /No OpenIDConnect provider found/);
  const [, named] = /found in your account for (https:\/\/\S+)/.exec(failure?.message ?? "") ?? [];
  const issuer = claimsOf(facts).issuer ?? named;
  const subject = issuer ?? (isOfPod(facts) ? "the cluster's issuer" : "the token's issuer");
  const [audience = "<aud>"] = audiencesOf(facts) ?? [];
  const create = `aws iam create-open-id-connect-provider --url ${issuer ?? "<issuer>"} --client-id-list ${audience}`;
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
  const { provider: shown, trust } = facts;
  if (!isByToken(facts) || isOfGoogle(facts)) return [];
  const failure = failureLike(facts, /Incorrect token audience/);
  const ours = claimsOf(facts).issuer;
  const isOther =
    shown !== undefined && ours !== undefined && issuerName(shown.url) !== issuerName(ours);
  const provider = isOther ? undefined : shown;
  const issuer = ours ?? provider?.url ?? "the cluster's issuer";
  const wanted = audiencesOf(facts);
  const arn =
    trust?.statements
      .flatMap(({ principals }) => principals)
      .find(({ type, value }) => type === "Federated" && value.endsWith(issuerName(issuer)))
      ?.value ?? `arn:aws:iam::<account>:oidc-provider/${issuerName(issuer)}`;
  const isIn = (each: string): boolean => provider?.clientIds.includes(each) === true;
  const lacks = provider !== undefined && wanted !== undefined && !wanted.some(isIn);
  if (failure === undefined && !lacks)
    return provider === undefined || wanted === undefined
      ? []
      : [fine(issuer, `its provider lets in ${wanted.filter(isIn).join(", ")}`)];
  const has = lacks ? `its provider lets in ${provider.clientIds.join(", ") || "nothing"}` : "";
  const evidence = [failure === undefined ? "" : failureInWords(failure), has]
    .filter((each) => each !== "")
    .join("; ");
  return [
    broken(
      issuer,
      evidence,
      `aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn ${arn} --client-id ${wanted?.[0] ?? "<aud>"}`,
    ),
  ];
}
