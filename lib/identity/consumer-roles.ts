import { createHash } from "node:crypto";
import { CfnOutput, type Stack } from "aws-cdk-lib";
import {
  AccountRootPrincipal,
  type IPrincipal,
  type IRole,
  Role,
  ServicePrincipal,
} from "aws-cdk-lib/aws-iam";
import { type ParsedIdentity, type ParsedWebIdentity, pascal } from "../../config/config.ts";
import { PODS_SERVICE } from "../../core/aws/workload-identity.ts";
import { consumerRoleName } from "../functions/physical-names.ts";
import { Ec2Role } from "./ec2-role.ts";
import { EcsTaskRole } from "./ecs-task-role.ts";
import { IdentityCenterRole } from "./identity-center-role.ts";
import type { ConsumerRoleProps } from "./identity-role.ts";
import { LambdaRole } from "./lambda-role.ts";
import { OtherAccountRole } from "./other-account-role.ts";
import { PodIdentityRole } from "./pod-identity-role.ts";
import type { RoleElsewhere } from "./role-elsewhere.ts";
import { RolesAnywhereRole } from "./roles-anywhere-role.ts";
import { WebIdentityRole } from "./web-identity-role.ts";

/** The identity of a consumer outside the sandbox. */
export type RoleIdentity = Exclude<ParsedIdentity, { readonly kind: "sandbox" }>;

function trusted(assumedBy: string): IPrincipal {
  if (assumedBy === "account") return new AccountRootPrincipal();
  const service = new ServicePrincipal(assumedBy);
  return assumedBy.startsWith(PODS_SERVICE) ? service.withSessionTags() : service;
}

/** The callers of a consumer whose tokens an issuer signs. */
function webIdentityOf(identity: ParsedIdentity): ParsedWebIdentity | undefined {
  switch (identity.kind) {
    case "eks":
      return identity.value.by === "irsa" ? identity.value.webIdentity : undefined;
    case "github":
    case "gitlab":
    case "oidc":
      return identity.value;
    default:
      return undefined;
  }
}

/** The IAM roles of consumers: roles that exist, each imported once, and new ones. */
export class ConsumerRoles {
  readonly #stackName: string;
  readonly #stackOf: (name: string) => Stack;
  readonly #existing = new Map<string, IRole>();
  readonly #newProviders: ReadonlySet<string>;

  /**
   * @param stackName name of the first stack, also if the roles are in others.
   * @param identities of all consumers: those with one issuer share its provider.
   * @param stackOf the stack for the role of a consumer, or for the policies of a role's ARN.
   */
  constructor(
    stackName: string,
    identities: readonly ParsedIdentity[],
    stackOf: (name: string) => Stack,
  ) {
    this.#stackName = stackName;
    this.#stackOf = stackOf;
    const made = identities.map(webIdentityOf).filter((each) => each?.newProvider === true);
    this.#newProviders = new Set(made.map((each) => each?.issuer ?? ""));
  }

  /** The role of a consumer: an existing role, or a new one with its ARN as an output. */
  of(consumer: string, identity: RoleIdentity): IRole | RoleElsewhere {
    switch (identity.kind) {
      case "roleArn":
        return this.#existingRole(identity.value);
      case "otherAccountRoleArn":
        return new OtherAccountRole(identity.value);
      case "identityCenter":
        return new IdentityCenterRole(identity.value);
      default: {
        const role = this.#newRole(consumer, identity);
        this.#output(consumer, "RoleArn", role.roleArn);
        return role;
      }
    }
  }

  /**
   * Two consumers may have one role, whose policies must share IAM's limit. Only the ARN decides the
   * id and the stack, so that each consumer may come and go.
   */
  #existingRole(arn: string): IRole {
    const id = `existing-role.${createHash("sha256").update(arn).digest("hex").slice(0, 8)}`;
    const role = this.#existing.get(arn) ?? Role.fromRoleArn(this.#stackOf(arn), id, arn);
    this.#existing.set(arn, role);
    return role;
  }

  #newRole(consumer: string, identity: NewRoleIdentity): Role {
    const stack = this.#stackOf(consumer);
    const id = `consumer-${consumer}`;
    const props = {
      roleName: consumerRoleName(this.#stackName, consumer),
      description: `Mayfly: consumer ${consumer}`,
    };
    switch (identity.kind) {
      case "newRole":
        return new Role(stack, id, { ...props, assumedBy: trusted(identity.value.assumedBy) });
      case "eks":
        return identity.value.by === "podIdentity"
          ? new PodIdentityRole(stack, id, { ...props, ...listed(identity.value.pods) })
          : this.#webIdentityRole(stack, id, identity.value.webIdentity, props);
      case "github":
      case "gitlab":
      case "oidc":
        return this.#webIdentityRole(stack, id, identity.value, props);
      case "ecs":
        return new EcsTaskRole(stack, id, props);
      case "ec2": {
        const role = new Ec2Role(stack, id, props);
        this.#output(consumer, "InstanceProfile", role.instanceProfile.instanceProfileName);
        return role;
      }
      case "lambda":
        return new LambdaRole(stack, id, { ...props, ...identity.value });
      case "rolesAnywhere": {
        const role = new RolesAnywhereRole(stack, id, { ...props, ...identity.value });
        this.#output(consumer, "ProfileArn", role.profileArn);
        return role;
      }
      default:
        throw new Error(`${JSON.stringify(identity satisfies never)} is no identity`);
    }
  }

  #webIdentityRole(
    stack: Stack,
    id: string,
    webIdentity: ParsedWebIdentity,
    props: ConsumerRoleProps,
  ): Role {
    const newProvider = this.#newProviders.has(webIdentity.issuer);
    return new WebIdentityRole(stack, id, { ...webIdentity, newProvider }, props);
  }

  #output(consumer: string, what: string, value: string): void {
    new CfnOutput(this.#stackOf(consumer), `${pascal(consumer)}${what}`, { value });
  }
}

type NewRoleIdentity = Exclude<
  RoleIdentity,
  { readonly kind: "roleArn" | "otherAccountRoleArn" | "identityCenter" }
>;

const listed = <Pods extends { readonly serviceAccounts: readonly string[] }>(pods: Pods) => ({
  ...pods,
  serviceAccounts: [...pods.serviceAccounts],
});
