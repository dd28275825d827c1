import { randomBytes } from "node:crypto";
import { type Account, globalArnOf, randomEnd } from "../account.ts";
import type { Json } from "../cloudformation/assembly.ts";
import type {
  Created,
  Existing,
  Resource,
  ResourceType,
  ResourceTypes,
} from "../cloudformation/resource.ts";
import type { HeldPolicy } from "./policy-use.ts";

/** An IAM policy document of the template, with its intrinsic functions resolved. */
export type PolicyDocument = Json;

/** A policy of a role, inline or attached by an `AWS::IAM::Policy`. */
export interface NamedPolicy {
  readonly name: string;
  readonly policy: PolicyDocument;
  /** True for an inline policy of the role's own resource. */
  readonly inline?: boolean;
  /** IAM's name of an inline policy. Undefined for a managed policy. */
  readonly policyName?: string | undefined;
}

/** An IAM role. */
export interface Role {
  readonly name: string;
  readonly arn: string;
  /** As IAM's, e.g. `AROA…`. */
  readonly id: string;
  readonly logicalId: string | undefined;
  readonly createdAt: Date;
  /** Who may assume it. */
  trust: PolicyDocument;
  policies: readonly NamedPolicy[];
  /** How long a session may last at most. Seconds. */
  maxSessionSeconds: number;
}

/** Temporary credentials. Signatures are not verified, so the secret is only for show. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** A session of a role: the identity of a request's credentials. */
export interface Session {
  readonly role: Role;
  /** `arn:aws:sts::<account>:assumed-role/<role>/<session>`. */
  readonly arn: string;
  /** `<role's id>:<session>`, as STS calls it. */
  readonly userId: string;
  readonly credentials: Credentials;
  /** Milliseconds since the epoch. Infinity for the sessions of functions and of `npm run local`. */
  readonly expiresAt: number;
  /** Session tags. Policies see them as `aws:PrincipalTag/<name>`. */
  readonly tags: Tags;
}

export type Tags = Readonly<Record<string, string>>;

/** What somebody asks who assumes a role. */
export interface TemporarySession {
  readonly name: string;
  /** How long it lasts. */
  readonly seconds: number;
  readonly tags?: Tags;
}

/** When sessions end. */
export interface SessionTimes {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** No session lasts longer, whatever AWS would allow. @default - as on AWS */
  readonly longestSeconds?: (() => number) | undefined;
}

/** The principal that may do everything that no resource policy denies. */
export const ADMINISTRATOR = "administrator";

const LOGS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];

/** The actions that Lambda needs to connect a function to a VPC, from AWS's managed policy. */
export const NETWORK_INTERFACES = [
  "ec2:CreateNetworkInterface",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeSubnets",
  "ec2:DeleteNetworkInterface",
  "ec2:AssignPrivateIpAddresses",
  "ec2:UnassignPrivateIpAddresses",
];

/** The AWS-managed policies that the runner knows, by the end of their ARN. All allow `*`. */
const MANAGED_POLICIES: Readonly<Record<string, readonly string[]>> = {
  "policy/service-role/AWSLambdaBasicExecutionRole": LOGS,
  "policy/service-role/AWSLambdaVPCAccessExecutionRole": [...LOGS, ...NETWORK_INTERFACES],
};

const allow = (Action: string | readonly string[], Resource: string): PolicyDocument => ({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action, Resource }],
});

/** Roles, their policies, and the sessions of their credentials. */
export class Identities {
  readonly #account: Account;
  readonly #roles = new Map<string, Role>();
  readonly #sessions = new Map<string, Session>();
  readonly #byAccessKey = new Map<string, Session>();
  readonly #times: SessionTimes;

  constructor(account: Account, times: SessionTimes = { now: Date.now }) {
    this.#account = account;
    this.#times = times;
    this.addRole(ADMINISTRATOR).policies = [
      { name: "everything", policyName: "everything", policy: allow("*", "*") },
    ];
  }

  /** A new role. Without a trust policy, the account's own principals may assume it. */
  addRole(name: string, trust?: PolicyDocument, logicalId?: string): Role {
    const role: Role = {
      name,
      arn: this.arnOf(name),
      id: `AROA${randomEnd(17).toUpperCase()}`,
      logicalId,
      createdAt: new Date(this.#times.now()),
      trust: trust ?? {
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Principal: { AWS: globalArnOf(this.#account, "iam", "root") },
            Action: "sts:AssumeRole",
          },
        ],
      },
      policies: [],
      maxSessionSeconds: 3_600,
    };
    this.#roles.set(name, role);
    return role;
  }

  /** The ARN of a role of this name. */
  arnOf(name: string): string {
    return globalArnOf(this.#account, "iam", `role/${name}`);
  }

  /** A role by its name alone. */
  named(name: string): Role | undefined {
    return this.#roles.get(name);
  }

  /** A role by name, ARN or logical id. */
  find(principal: string): Role | undefined {
    const roles = [...this.#roles.values()];
    return roles.find((role) => [role.name, role.arn, role.logicalId].includes(principal));
  }

  /** As `find`. @throws Error if it does not exist. */
  role(principal: string): Role {
    const role = this.find(principal);
    if (role !== undefined) return role;
    throw new Error(`no role ${principal}; there are ${[...this.#roles.keys()].join(", ")}`);
  }

  /** ARNs of the roles that the template names but does not create. */
  get existingRoles(): readonly string[] {
    return [...this.#roles.values()]
      .filter(({ name, logicalId }) => logicalId === undefined && name !== ADMINISTRATOR)
      .map(({ arn }) => arn);
  }

  /** The template's policies of roles, trust policies included. */
  get policies(): readonly HeldPolicy[] {
    return [...this.#roles.values()]
      .filter(({ logicalId }) => logicalId !== undefined)
      .flatMap(({ logicalId = "", trust, policies }) => [
        { holder: `${logicalId} (trust)`, policy: trust },
        ...policies
          .filter(({ name }) => !name.startsWith("arn:"))
          .map(({ policy }) => ({ holder: logicalId, policy })),
      ]);
  }

  /** The session of a role with a session name. It always has the same credentials. */
  session(role: Role, sessionName: string): Session {
    const arn = this.#sessionArn(role, sessionName);
    const known = this.#sessions.get(arn);
    if (known !== undefined) return known;
    const session = this.#newSession(role, sessionName, Infinity);
    this.#sessions.set(arn, session);
    return session;
  }

  /** A session with credentials of its own, which end. */
  assume(role: Role, { name, seconds, tags }: TemporarySession): Session {
    const { now, longestSeconds = () => Infinity } = this.#times;
    const expiresAt = now() + Math.min(seconds, longestSeconds()) * 1_000;
    return this.#newSession(role, name, expiresAt, tags);
  }

  #newSession(role: Role, name: string, expiresAt: number, tags: Tags = {}): Session {
    const session: Session = {
      role,
      arn: this.#sessionArn(role, name),
      userId: `${role.id}:${name}`,
      credentials: {
        accessKeyId: `ASIA${randomEnd(16).toUpperCase()}`,
        secretAccessKey: randomBytes(30).toString("base64"),
        sessionToken: randomBytes(60).toString("base64"),
      },
      expiresAt,
      tags,
    };
    this.#byAccessKey.set(session.credentials.accessKeyId, session);
    return session;
  }

  #sessionArn(role: Role, sessionName: string): string {
    return globalArnOf(this.#account, "sts", `assumed-role/${role.name}/${sessionName}`);
  }

  /** The session of an access key. Undefined if the key is unknown. */
  bearer(accessKeyId: string, sessionToken: string | undefined): Session | undefined {
    const session = this.#byAccessKey.get(accessKeyId);
    return session?.credentials.sessionToken === sessionToken ? session : undefined;
  }

  readonly resources: ResourceTypes = {
    "AWS::IAM::Role": {
      changes: { RoleName: "replace", "*": "update" },
      create: (resource) => this.#createRole(resource),
      update: (resource, { ref }) => this.#describeRole(this.role(ref), resource),
      remove: ({ ref }) => this.#removeRole(this.role(ref)),
    },
    "AWS::IAM::Policy": this.#attached(),
    "AWS::IAM::ManagedPolicy": this.#attached(),
  };

  #attached(): ResourceType {
    return {
      changes: { "*": "update" },
      create: (resource) => this.#attach(resource),
      update: (resource, former) => {
        this.#detach(former);
        return this.#attach(resource);
      },
      remove: (policy) => this.#detach(policy),
    };
  }

  #attach({ logicalId: name, type, properties }: Resource): Created {
    const {
      PolicyDocument: policy,
      PolicyName,
      Roles = [],
    } = properties as {
      PolicyDocument: PolicyDocument;
      PolicyName?: string;
      Roles?: string[];
    };
    const policyName = type === "AWS::IAM::Policy" ? PolicyName : undefined;
    for (const roleName of Roles) {
      // a role that the template only names exists elsewhere in the same account
      const role = this.find(roleName) ?? this.addRole(roleName);
      role.policies = [...role.policies, { name, policyName, policy }];
    }
    return { ref: name };
  }

  #detach({ logicalId }: Existing): void {
    for (const role of this.#roles.values())
      role.policies = role.policies.filter(({ name }) => name !== logicalId);
  }

  #createRole(resource: Resource): Created {
    const { logicalId, properties, physicalName } = resource;
    const { RoleName = physicalName(64) } = properties as { RoleName?: string };
    managedPoliciesOf(resource);
    return this.#describeRole(this.addRole(RoleName, {}, logicalId), resource);
  }

  /** Change the trust and inline policies. Policies that are separate resources stay. */
  #describeRole(role: Role, resource: Resource): Created {
    const {
      AssumeRolePolicyDocument,
      MaxSessionDuration = 3_600,
      Policies = [],
    } = resource.properties as {
      AssumeRolePolicyDocument: PolicyDocument;
      MaxSessionDuration?: number;
      Policies?: { PolicyName: string; PolicyDocument: PolicyDocument }[];
    };
    const inline = Policies.map(({ PolicyName, PolicyDocument: policy }) => ({
      name: PolicyName,
      policyName: PolicyName,
      policy,
      inline: true,
    }));
    role.trust = AssumeRolePolicyDocument;
    role.maxSessionSeconds = MaxSessionDuration;
    const managed = managedPoliciesOf(resource).map((each) => ({ ...each, inline: true }));
    const attached = role.policies.filter((each) => !each.inline);
    role.policies = [...managed, ...inline, ...attached];
    return { ref: role.name, attributes: { Arn: role.arn, RoleId: role.id } };
  }

  /** Delete the role. Its keys are unknown from now on. */
  #removeRole(role: Role): void {
    this.#roles.delete(role.name);
    for (const [arn, session] of this.#sessions)
      if (session.role === role) this.#sessions.delete(arn);
    for (const [key, session] of this.#byAccessKey)
      if (session.role === role) this.#byAccessKey.delete(key);
  }
}

/** @throws Error for an AWS-managed policy that the runner does not know. */
const managedPoliciesOf = ({ logicalId, properties }: Resource): NamedPolicy[] =>
  ((properties.ManagedPolicyArns ?? []) as string[]).map((arn) => {
    const actions = MANAGED_POLICIES[arn.split(":").slice(5).join(":")];
    if (actions !== undefined) return { name: arn, policy: allow(actions, "*") };
    throw new Error(
      `role ${logicalId} has the managed policy ${arn}, whose text the local runner does not have; state its permissions inline`,
    );
  });
