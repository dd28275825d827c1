import * as v from "valibot";
import {
  type IsFine,
  list,
  object,
  oneOf,
  type Report,
  ruled,
  says,
  text,
} from "./schema/fields.ts";

/** A path of at most 512 characters, of segments that are not empty, and a name of at most 64. */
const ROLE_ARN =
  /^arn:aws(?:-[a-z]+)*:iam::\d{12}:role\/(?!.{511,}\/)(?:[\w+=,.@-]+\/)*[\w+=,.@-]{1,64}$/;
const SERVICE = /^[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?$/;

/**
 * The kinds of identity a consumer can have: the key in the configuration, the schema of its value
 * and the parsed result. lib/identity creates the IAM role of each kind.
 */
const IDENTITIES = {
  /** An existing role of the stack's account. */
  roleArn: text(
    ROLE_ARN,
    "is not a role's ARN",
    "write the role's own ARN, e.g. arn:aws:iam::111122223333:role/reporting",
  ),
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

/** Who a consumer is: the kind of identity and its value. */
export type ParsedIdentity = {
  readonly [Kind in IdentityKind]: {
    readonly kind: Kind;
    readonly value: v.InferOutput<Identities[Kind]>;
  };
}[IdentityKind];

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
};

/** The fields of every consumer, whatever its identity. */
export interface ConsumerFields {
  readonly roles?: readonly string[] | undefined;
  readonly secrets?: readonly string[] | undefined;
  readonly sandbox?: true | undefined;
}

const ROLES_MISSING = says(
  "is not a list of at least one",
  'list grants, e.g. ["orders/readonly"]',
);

/** A function in a sandbox needs a role; other consumers may have secrets only. */
const rules = (consumer: ConsumerFields, report: Report, isFine: IsFine): void => {
  const { roles: grants, secrets, sandbox } = consumer;
  if (grants === undefined && isFine("roles") && (secrets === undefined || sandbox === true))
    report(["roles"], ROLES_MISSING);
};

const REMEDY = `describe the consumer, with roles and ${IDENTITY_KINDS.slice(0, -1).join(", ")} or ${IDENTITY_KINDS.at(-1)}`;

const consumerOf = <const Entries extends v.ObjectEntries>(entries: Entries) =>
  ruled(object({ ...entries, ...accessEntries }, REMEDY), rules);

const kinds = {
  roleArn: consumerOf({ roleArn: IDENTITIES.roleArn }),
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
      `needs exactly one of ${IDENTITY_KINDS.join(", ")}; give the ARN of a role, or newRole: { assumedBy: "account" }`,
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
}

/** `orders/readonly` as its two parts. */
export const splitName = (text: string): readonly [database: string, name: string] => {
  const [database = "", name = ""] = text.split("/");
  return [database, name];
};

/** A consumer whose fields were read. */
export function toConsumer(fields: v.InferOutput<typeof consumerSchema>): ParsedConsumer {
  const kind = IDENTITY_KINDS.find(
    (key) => key in fields && Reflect.get(fields, key) !== undefined,
  );
  if (kind === undefined) throw new Error("a consumer without identity was accepted");
  return {
    identity: { kind, value: Reflect.get(fields, kind) } as ParsedIdentity,
    grants: (fields.roles ?? []).map(splitName).map(([database, role]) => ({ database, role })),
    secrets: (fields.secrets ?? [])
      .map(splitName)
      .map(([database, secret]) => ({ database, secret })),
  };
}
