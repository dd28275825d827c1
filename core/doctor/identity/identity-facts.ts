import type { Instant } from "../../time.ts";

/** What runs a workload. */
export type Platform = "kubernetes" | "ecs" | "lambda" | Pipeline | "other";

/** Whose jobs have tokens. */
export type Pipeline = "github" | "gitlab";

export const isPipeline = (platform: Platform): boolean =>
  platform === "github" || platform === "gitlab";

/** What the environment says about credentials. It holds no key and no token. */
export interface CredentialVariables {
  readonly platform: Platform;
  /** Of AWS_ACCESS_KEY_ID: keys of a user are permanent, keys of a role are temporary. */
  readonly keys: "none" | "permanent" | "temporary";
  /** AWS_PROFILE, or `default` if the files of the home folder have credentials under that name. */
  readonly profile?: string;
  /** AWS_ROLE_ARN. */
  readonly roleArn?: string;
  /** AWS_WEB_IDENTITY_TOKEN_FILE. */
  readonly tokenFile?: string;
  /** AWS_CONTAINER_CREDENTIALS_FULL_URI. */
  readonly fullUri?: string;
  /** AWS_CONTAINER_CREDENTIALS_RELATIVE_URI. */
  readonly relativeUri?: string;
  /** AWS_EC2_METADATA_DISABLED. */
  readonly isMetadataOff: boolean;
  /** Of AWS_REGION, the profile, or the issuer's ARN. */
  readonly region?: string;
  /** AWS_STS_REGIONAL_ENDPOINTS. */
  readonly stsEndpoints?: string;
}

/** A web identity's token. Its signature is not looked at: STS does that. */
export type TokenFact =
  | {
      readonly kind: "claims";
      /** E.g. `https://oidc.eks.eu-west-1.amazonaws.com/id/ABC`. */
      readonly issuer?: string;
      /** E.g. `system:serviceaccount:shop:user-service`. */
      readonly subject?: string;
      /** Empty if the token has none. */
      readonly audiences: readonly string[];
      readonly expiresAt?: Instant;
      /** `azp`, which Google's tokens have. */
      readonly authorizedParty?: string;
      /** The doctor asked for this token, and chose its audience. */
      readonly isOwn?: true;
    }
  /** `code`: of the operating system, e.g. `EACCES`; `MALFORMED` for what is no token. */
  | { readonly kind: "unreadable"; readonly code: string };

/** A job of a pipeline, by its variables. */
export interface JobFact {
  readonly pipeline: Pipeline;
  /** GitHub lets it ask for tokens, or GitLab has put one into its variables. */
  readonly hasToken: boolean;
  /** The address of its server, e.g. `https://gitlab.com`. */
  readonly server?: string;
}

/** What a profile tells AWS's credential helper for IAM Roles Anywhere. */
export interface HelperFact {
  readonly roleArn?: string;
  readonly profileArn?: string;
  readonly trustAnchorArn?: string;
  /** The path of the certificate. */
  readonly certificate?: string;
}

/** Names of a certificate's subject or issuer by their type, e.g. `CN`. */
export type DistinguishedName = Readonly<Record<string, readonly string[]>>;

/** The certificate of a machine outside AWS. */
export type CertificateFact =
  | {
      readonly kind: "certificate";
      readonly subject: DistinguishedName;
      readonly issuer: DistinguishedName;
      readonly notBefore: Instant;
      readonly notAfter: Instant;
    }
  /** `code`: of the operating system, or `MALFORMED` for what is no PEM. */
  | { readonly kind: "unreadable"; readonly code: string };

/** A trust anchor of IAM Roles Anywhere. */
export interface TrustAnchorFact {
  readonly arn: string;
  readonly isEnabled: boolean;
}

/** A profile of IAM Roles Anywhere. */
export interface AnywhereProfileFact {
  readonly arn: string;
  readonly isEnabled: boolean;
  readonly roleArns: readonly string[];
  /** Which parts of a subject become tags is its own rule; by default all do. */
  readonly hasOwnMapping?: true;
}

/** An error of AWS or of its SDK, by the SDK's name for it. */
export interface AwsFailure {
  readonly name: string;
  readonly message: string;
}

/** What GetCallerIdentity answered. */
export type CallerFact =
  | { readonly kind: "caller"; readonly arn: string }
  | ({ readonly kind: "failed"; readonly isNetwork: boolean } & AwsFailure);

/** What the endpoint of container credentials answered. */
export type ContainerFact =
  | { readonly kind: "credentials"; readonly roleArn?: string }
  | { readonly kind: "refused"; readonly status: number; readonly words: string }
  /** `code` of the network, e.g. `ECONNREFUSED`. */
  | { readonly kind: "unreachable"; readonly code: string }
  /** No SDK sends a token there. */
  | { readonly kind: "foreign"; readonly host: string }
  /** The file of its token. */
  | { readonly kind: "no-token"; readonly code: string };

/** What the instance's metadata answered. */
export type InstanceFact =
  | { readonly kind: "role"; readonly role: string }
  | { readonly kind: "no-role" }
  /** It accepted the connection, and its answer did not arrive. */
  | { readonly kind: "silent" }
  | { readonly kind: "unreachable"; readonly code: string };

/** A role that a workload should have, and who says so. */
export interface ExpectedRole {
  readonly arn: string;
  readonly from: string;
}

export interface ServiceAccountFact {
  readonly namespace: string;
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** When the role's annotation was last written, as far as Kubernetes tells. */
  readonly annotatedAt?: Instant;
  /** Its annotation is no older. */
  readonly createdAt?: Instant;
}

export interface PodFact {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly createdAt?: Instant;
  /** False for a template, which the webhook has not seen. */
  readonly isRunning: boolean;
  readonly annotations: Readonly<Record<string, string>>;
  readonly containers: readonly {
    readonly name: string;
    /** Those of AWS, without keys and tokens. */
    readonly variables: Readonly<Record<string, string>>;
  }[];
}

/** One statement of a role's trust policy. */
export interface TrustStatement {
  readonly effect: "Allow" | "Deny";
  readonly actions: readonly string[];
  readonly principals: readonly { readonly type: string; readonly value: string }[];
  readonly conditions: readonly TrustCondition[];
}

export interface TrustCondition {
  /** E.g. `StringEquals`. */
  readonly operator: string;
  /** E.g. `aws:RequestTag/kubernetes-namespace`. */
  readonly key: string;
  readonly values: readonly string[];
}

/** A role's trust policy. */
export interface TrustFact {
  /** Undefined where the policy stood alone. */
  readonly roleArn?: string;
  readonly statements: readonly TrustStatement[];
}

/** An association of EKS Pod Identity. */
export interface AssociationFact {
  readonly cluster: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Lists of associations have none. */
  readonly roleArn?: string;
  readonly createdAt?: Instant;
}

/** What an engineer may have printed, and what can be seen from here. */
export interface IdentityFacts {
  readonly now: Instant;
  /** Of this process, or of a pod that a file describes. Undefined: nothing is known of them. */
  readonly variables?: CredentialVariables;
  readonly token?: TokenFact;
  readonly job?: JobFact;
  readonly helper?: HelperFact;
  readonly certificate?: CertificateFact;
  readonly trustAnchors?: readonly TrustAnchorFact[];
  readonly anywhereProfiles?: readonly AnywhereProfileFact[];
  /** Undefined if it was not asked. */
  readonly caller?: CallerFact;
  /** Whom AWS saw when the application called, as its log or CloudTrail has it. */
  readonly applicationCaller?: string;
  /** The application's own error. */
  readonly applicationError?: AwsFailure;
  readonly container?: ContainerFact;
  readonly instance?: InstanceFact;
  readonly expected?: ExpectedRole;
  readonly serviceAccount?: ServiceAccountFact;
  readonly pod?: PodFact;
  readonly trust?: TrustFact;
  readonly associations?: readonly AssociationFact[];
  /** The ARNs of the account's OIDC providers. */
  readonly providers?: readonly string[];
  /** One of them, with the audiences that it lets in. */
  readonly provider?: { readonly url: string; readonly clientIds: readonly string[] };
  readonly cluster?: { readonly name: string; readonly arn: string; readonly issuer?: string };
  readonly taskDefinition?: {
    readonly family: string;
    readonly taskRoleArn?: string;
    readonly executionRoleArn?: string;
  };
  /** HttpPutResponseHopLimit of the instance. */
  readonly hopLimit?: number;
}
