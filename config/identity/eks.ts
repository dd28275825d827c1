import * as v from "valibot";
import type { Pods } from "../../core/aws/trust/pods.ts";
import { issuerOf } from "../../core/aws/trust/web-identity.ts";
import { STS_AUDIENCE, serviceAccountSubject } from "../../core/aws/workload-identity.ts";
import { list, object, oneOf, type Report, ruled, says, text } from "../schema/fields.ts";
import { checkOneOf, exact } from "./exact.ts";
import { newProviderEntry, type ParsedWebIdentity } from "./issuer.ts";

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";

const serviceAccount = exact({
  pattern: new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`),
  fault: "is not a service account's name",
  remedy: "name each service account in serviceAccounts",
  anybody: "pods of every service account whose name fits",
});

const podEntries = {
  /** Namespace of the pods. */
  namespace: exact({
    pattern: new RegExp(`^${LABEL}$`),
    fault: "is not a namespace",
    remedy: "name one namespace",
    anybody: "everybody who may create a namespace in the cluster",
  }),
  /** The service account of the pods, or write several in `serviceAccounts`. */
  serviceAccount: v.optional(serviceAccount),
  /** Several service accounts of the namespace. */
  serviceAccounts: v.optional(list('list them, e.g. ["api", "worker"]', serviceAccount)),
};

interface PodFields {
  readonly namespace: string;
  readonly serviceAccount?: string | undefined;
  readonly serviceAccounts?: readonly string[] | undefined;
}

interface ProviderFields {
  readonly oidcIssuer?: string | undefined;
  readonly newProvider?: boolean | undefined;
}

const accountsOf = ({ serviceAccount: one, serviceAccounts = [] }: PodFields): readonly string[] =>
  one === undefined ? serviceAccounts : [one];

const checkAccounts = (fields: PodFields, report: Report): void =>
  checkOneOf(
    { ...fields },
    ["serviceAccount", "serviceAccounts"],
    'serviceAccount: "user-service"',
    report,
  );

/** AWS's own hosts: whoever has another could sign for every service account. */
const EKS_ISSUER =
  /^https:\/\/(?:oidc\.eks\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?|oidc-eks\.([a-z0-9-]+)\.api\.(?:aws|amazonwebservices\.com\.cn))\/id\/[0-9A-Z]{32}$/;

/** A cluster's issuer, and if its provider's ARN is written, one of the same partition. */
function isEksIssuer(value: string): boolean {
  const [issuer, dotted, dashed] = EKS_ISSUER.exec(issuerOf(value)?.issuer ?? value) ?? [];
  const [, partition] = /^arn:(aws(?:-cn|-us-gov)?):/.exec(value) ?? [];
  const [of] = /^(?:cn|us-gov)(?=-)/.exec(dotted ?? dashed ?? "") ?? [];
  if (issuer === undefined) return false;
  return !value.startsWith("arn:") || partition === (of === undefined ? "aws" : `aws-${of}`);
}

const IRSA_REMEDY = 'write { oidcIssuer: "https://oidc.eks.…", namespace, serviceAccount }';

/** IAM roles for service accounts (IRSA): EKS's own tokens, which STS exchanges. */
export const irsaSchema = ruled(
  object(
    {
      /**
       * URL of the cluster's OIDC issuer, or the ARN of its provider in IAM. It says that pods use
       * IRSA: their service account is annotated with the role's ARN.
       */
      oidcIssuer: text(
        isEksIssuer,
        "is not the OIDC issuer of an EKS cluster",
        "write what `aws eks describe-cluster --name … --query cluster.identity.oidc.issuer` prints, or the ARN of its provider; for a cluster elsewhere write oidc: { issuer, subject, audience }",
      ),
      ...podEntries,
      ...newProviderEntry,
    },
    IRSA_REMEDY,
  ),
  (fields: PodFields & ProviderFields, report) => {
    checkAccounts(fields, report);
    if (fields.newProvider === true && fields.oidcIssuer?.startsWith("arn:") === true)
      report(
        ["newProvider"],
        says(
          "cannot be true beside a provider's ARN, which says that the account has it",
          "remove it, or write the issuer's URL",
        ),
      );
  },
);

/** EKS Pod Identity: an association says which service account has the role. */
export const podIdentitySchema = ruled(
  object(
    {
      /**
       * Name of the cluster, of the stack's account and Region. It says that pods use EKS Pod
       * Identity: the stack associates their service account with the role.
       */
      cluster: exact({
        pattern: /^[0-9A-Za-z][\w-]{0,99}$/,
        fault: "is not a cluster's name",
        remedy: "name one cluster",
        anybody: "pods of other clusters",
      }),
      ...podEntries,
    },
    'write { cluster: "main", namespace, serviceAccount }',
  ),
  checkAccounts,
);

const unclear = ruled(
  object(
    {
      ...podEntries,
      cluster: v.optional(v.unknown()),
      oidcIssuer: v.optional(v.unknown()),
      newProvider: v.optional(v.unknown()),
    },
    IRSA_REMEDY,
  ),
  (_, report) =>
    report(
      [],
      "needs exactly one of cluster and oidcIssuer; write cluster for EKS Pod Identity, which the stack associates, or oidcIssuer for IRSA, where the service account is annotated",
    ),
);

/** Pods of EKS: by Pod Identity if `cluster` is written, by IRSA if `oidcIssuer` is. */
export const eksSchema = oneOf(
  { podIdentity: podIdentitySchema, irsa: irsaSchema },
  ({ cluster, oidcIssuer }) => {
    if ((cluster === undefined) === (oidcIssuer === undefined)) return undefined;
    return cluster === undefined ? "irsa" : "podIdentity";
  },
  unclear,
  says("is not an object", 'write { cluster: "main", namespace, serviceAccount }'),
);

/** Pods of EKS, and how they get their role. */
export type ParsedEks =
  | { readonly by: "podIdentity"; readonly pods: Pods }
  | { readonly by: "irsa"; readonly webIdentity: ParsedWebIdentity };

export const toPods = (fields: v.InferOutput<typeof podIdentitySchema>): Pods => ({
  cluster: fields.cluster,
  namespace: fields.namespace,
  serviceAccounts: accountsOf(fields),
});

export function toIrsa(fields: v.InferOutput<typeof irsaSchema>): ParsedWebIdentity {
  const { oidcIssuer, namespace, newProvider } = fields;
  const provider = issuerOf(oidcIssuer);
  return {
    issuer: provider?.issuer ?? oidcIssuer,
    audience: STS_AUDIENCE,
    subjects: accountsOf(fields).map((account) =>
      serviceAccountSubject({ namespace, serviceAccount: account }),
    ),
    newProvider,
    ...(provider !== undefined && { providerAccount: provider.account }),
  };
}

export const toEks = (fields: v.InferOutput<typeof eksSchema>): ParsedEks =>
  "cluster" in fields
    ? { by: "podIdentity", pods: toPods(fields) }
    : { by: "irsa", webIdentity: toIrsa(fields) };

/** What is written of pods that use IRSA. */
export type IrsaIdentity = v.InferInput<typeof irsaSchema>;
/** What is written of pods that use EKS Pod Identity. */
export type PodIdentity = v.InferInput<typeof podIdentitySchema>;
