import * as v from "valibot";
import { eksSchema, toEks } from "./identity/eks.ts";
import { existingRole } from "./identity/existing-role.ts";
import { githubSchema, toGitHub } from "./identity/github.ts";
import { gitlabSchema, toGitLab } from "./identity/gitlab.ts";
import { identityCenterSchema } from "./identity/identity-center.ts";
import { lambdaSchema } from "./identity/lambda-function.ts";
import { oidcSchema, toOidc } from "./identity/oidc.ts";
import { rolesAnywhereSchema } from "./identity/roles-anywhere.ts";
import {
  type IsFine,
  list,
  object,
  oneOf,
  type Report,
  ruled,
  says,
  text,
  whole,
} from "./schema/fields.ts";

const SERVICE = /^[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?$/;

/**
 * The kinds of identity a consumer can have: the key in the configuration and the schema of its
 * value. lib/identity has a construct for each kind.
 */
const IDENTITIES = {
  /** Pods of EKS: `cluster` for Pod Identity, `oidcIssuer` for IRSA. */
  eks: eksSchema,
  /** Tasks of ECS, which get the role as their task role. */
  ecs: v.literal(true, says("is not true", "write true, or remove it")),
  /** Instances of EC2, which get the role by an instance profile. */
  ec2: v.literal(true, says("is not true", "write true, or remove it")),
  /** A Lambda function. */
  lambda: lambdaSchema,
  /** Jobs of GitHub Actions. */
  github: githubSchema,
  /** Jobs of GitLab CI. */
  gitlab: gitlabSchema,
  /** Callers with tokens of any OIDC issuer. */
  oidc: oidcSchema,
  /** A machine outside AWS with a certificate. */
  rolesAnywhere: rolesAnywhereSchema,
  /** People of IAM Identity Center. Their permission set needs the policy that is an output. */
  identityCenter: identityCenterSchema,
  /** An existing role of the stack's account. */
  roleArn: existingRole,
  /** An existing role of another account. It needs the policy that is an output, in its account. */
  otherAccountRoleArn: existingRole,
  /** A role that the stack creates. */
  newRole: object(
    {
      /** `account`, or a service principal such as `ecs-tasks.amazonaws.com`. */
      assumedBy: text(
        (principal) => principal === "account" || SERVICE.test(principal),
        "cannot assume a role",
        'write "account" or a service such as "ecs-tasks.amazonaws.com"',
      ),
    },
    'write { assumedBy: "account" }',
  ),
  /**
   * The stack creates a function in the VPC of the sandbox that has the roles. It asks for a lease
   * of the first role and returns rows.
   */
  sandbox: v.literal(
    true,
    says("is not true", "write true, or remove it and give roleArn or newRole"),
  ),
};

type Identities = typeof IDENTITIES;
export type IdentityKind = keyof Identities;
const IDENTITY_KINDS = Object.keys(IDENTITIES) as readonly IdentityKind[];

/** How the values of some kinds are parsed. Those of the others stay as they are. */
const PARSERS = { eks: toEks, github: toGitHub, gitlab: toGitLab, oidc: toOidc };

type Parsers = typeof PARSERS;
type Parsed<Kind extends IdentityKind> = Kind extends keyof Parsers
  ? ReturnType<Parsers[Kind]>
  : v.InferOutput<Identities[Kind]>;

/** Who a consumer is: the kind of identity and its value. */
export type ParsedIdentity = {
  readonly [Kind in IdentityKind]: { readonly kind: Kind; readonly value: Parsed<Kind> };
}[IdentityKind];

const MOST_REPLICAS = 50_000;

const accessTo = (what: string, key: string, fault: string, example: string) =>
  list(
    `list ${key}, e.g. ["${example}"]`,
    text(/^[^/]+\/[^/]+$/, fault, `write "database/${what}", e.g. "${example}"`),
  );

const roles = accessTo("role", "grants", "is not a grant", "orders/readonly");

const accessEntries = {
  /**
   * What it may ask for, each written `database/role`.
   * @default - nothing, if the consumer has secrets
   */
  roles: v.optional(roles),
  /**
   * Rotated secrets that it may read, each written `database/secret`.
   * @default - none
   */
  secrets: v.optional(accessTo("secret", "secrets", "is not a rotated secret", "orders/reports")),
  /**
   * How many copies of it run at most, if each keeps a lease of its own. Synthesis warns about
   * roles with less room than twice as many: during a deployment, and when a lease is followed by
   * the next, a copy has two.
   * @default - unknown
   */
  replicas: v.optional(whole(1, MOST_REPLICAS)),
};

/** The fields of every consumer, whatever its identity. */
export interface ConsumerFields {
  readonly roles?: readonly string[] | undefined;
  readonly secrets?: readonly string[] | undefined;
  readonly sandbox?: true | undefined;
  readonly otherAccountRoleArn?: unknown;
  readonly identityCenter?: unknown;
}

const ROLES_MISSING = says(
  "is not a list of at least one",
  'list grants, e.g. ["orders/readonly"]',
);

/** Identities whose policies are not the stack's. */
const ELSEWHERE = ["otherAccountRoleArn", "identityCenter"] as const;
const NO_SECRETS = [
  "cannot be read by an identity whose policies are not this stack's",
  "remove it, and give leases; or give the secrets to a role of this account",
] as const;

/**
 * A function in a sandbox needs a role; other consumers may have secrets only, and some none.
 */
const rules = (consumer: ConsumerFields, report: Report, isFine: IsFine): void => {
  const { roles: grants, secrets, sandbox } = consumer;
  if (grants === undefined && isFine("roles") && (secrets === undefined || sandbox === true))
    report(["roles"], ROLES_MISSING);
  for (const kind of ELSEWHERE)
    if (consumer[kind] !== undefined && secrets !== undefined)
      report(["secrets"], says(...NO_SECRETS));
};

const REMEDY = `describe the consumer, with roles and ${IDENTITY_KINDS.slice(0, -1).join(", ")} or ${IDENTITY_KINDS.at(-1)}`;

const consumerOf = <const Entries extends v.ObjectEntries>(entries: Entries) =>
  ruled(object({ ...entries, ...accessEntries }, REMEDY), rules);

const kinds = {
  eks: consumerOf({ eks: IDENTITIES.eks }),
  ecs: consumerOf({ ecs: IDENTITIES.ecs }),
  ec2: consumerOf({ ec2: IDENTITIES.ec2 }),
  lambda: consumerOf({ lambda: IDENTITIES.lambda }),
  github: consumerOf({ github: IDENTITIES.github }),
  gitlab: consumerOf({ gitlab: IDENTITIES.gitlab }),
  oidc: consumerOf({ oidc: IDENTITIES.oidc }),
  rolesAnywhere: consumerOf({ rolesAnywhere: IDENTITIES.rolesAnywhere }),
  identityCenter: consumerOf({ identityCenter: IDENTITIES.identityCenter }),
  roleArn: consumerOf({ roleArn: IDENTITIES.roleArn }),
  otherAccountRoleArn: consumerOf({ otherAccountRoleArn: IDENTITIES.otherAccountRoleArn }),
  newRole: consumerOf({ newRole: IDENTITIES.newRole }),
  sandbox: consumerOf({ sandbox: IDENTITIES.sandbox }),
} satisfies Readonly<Record<IdentityKind, v.GenericSchema>>;

/** No identity, or more than one: the other fields are checked anyway. */
const unclear = ruled(
  object(
    {
      ...accessEntries,
      ...Object.fromEntries(IDENTITY_KINDS.map((key) => [key, v.optional(v.unknown())])),
    },
    REMEDY,
  ),
  (_, report) =>
    report(
      [],
      `needs exactly one of ${IDENTITY_KINDS.join(", ")}; write e.g. eks: { cluster: "main", namespace: "shop", serviceAccount: "api" }`,
    ),
);

/** A workload, its dynamic roles and its secrets. */
export const consumerSchema = oneOf(
  kinds,
  (value) => {
    const given = IDENTITY_KINDS.filter((key) => value[key] !== undefined);
    return given.length === 1 ? given[0] : undefined;
  },
  unclear,
  says("is not an object", REMEDY),
);

/** A consumer: its identity, the roles it may ask for and the secrets it may read. */
export interface ParsedConsumer {
  readonly identity: ParsedIdentity;
  readonly grants: readonly { readonly database: string; readonly role: string }[];
  readonly secrets: readonly { readonly database: string; readonly secret: string }[];
  /** Undefined: nobody knows. */
  readonly replicas?: number;
}

/** `orders/readonly` as its two parts. */
export const splitName = (text: string): readonly [database: string, name: string] => {
  const [database = "", name = ""] = text.split("/");
  return [database, name];
};

const isParsed = (kind: IdentityKind): kind is keyof Parsers => kind in PARSERS;

/** An identity whose value was read with the schema of its kind. */
function identityOf(kind: IdentityKind, value: unknown): ParsedIdentity {
  const parse: ((read: never) => unknown) | undefined = isParsed(kind) ? PARSERS[kind] : undefined;
  return { kind, value: parse === undefined ? value : parse(value as never) } as ParsedIdentity;
}

/** A consumer whose fields were read. */
export function toConsumer(fields: v.InferOutput<typeof consumerSchema>): ParsedConsumer {
  const kind = IDENTITY_KINDS.find(
    (key) => key in fields && Reflect.get(fields, key) !== undefined,
  );
  if (kind === undefined) throw new Error("a consumer without identity was accepted");
  return {
    identity: identityOf(kind, Reflect.get(fields, kind)),
    grants: (fields.roles ?? []).map(splitName).map(([database, role]) => ({ database, role })),
    secrets: (fields.secrets ?? [])
      .map(splitName)
      .map(([database, secret]) => ({ database, secret })),
    ...(fields.replicas !== undefined && { replicas: fields.replicas }),
  };
}
