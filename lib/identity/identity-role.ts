import { type Duration, Stack } from "aws-cdk-lib";
import {
  type IManagedPolicy,
  type PolicyDocument,
  PolicyStatement,
  PrincipalBase,
  PrincipalPolicyFragment,
  Role,
} from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import {
  LONGEST_TRUST,
  type RolePlace,
  type TrustStatement,
} from "../../core/aws/trust/statement.ts";
import { policyLength } from "./policy-length.ts";

/** What the role of any consumer can be made with. */
export interface ConsumerRoleProps {
  /**
   * Physical name of the role, at most 64 characters. A database of another account needs it.
   * @default - CloudFormation generates a name
   */
  readonly roleName?: string;
  /** @default - a sentence about whose role it is */
  readonly description?: string;
  /** @default - none */
  readonly permissionsBoundary?: IManagedPolicy;
  /** @default - an hour */
  readonly maxSessionDuration?: Duration;
}

const ROLE_PROPS: readonly (keyof ConsumerRoleProps)[] = [
  "roleName",
  "description",
  "permissionsBoundary",
  "maxSessionDuration",
];

/** What says who may assume a role, and the other properties that were given. */
export function splitProps<Props extends ConsumerRoleProps>(
  props: Props,
): readonly [Omit<Props, keyof ConsumerRoleProps>, ConsumerRoleProps] {
  const isRoleProp = (key: string): boolean => ROLE_PROPS.some((each) => each === key);
  const given = Object.entries(props).filter(([, value]) => value !== undefined);
  const pick = (wanted: boolean): unknown =>
    Object.fromEntries(given.filter(([key]) => isRoleProp(key) === wanted));
  return [pick(false) as Omit<Props, keyof ConsumerRoleProps>, pick(true) as ConsumerRoleProps];
}

/** The principals of one statement, conditions included. */
class Trusted extends PrincipalBase {
  readonly policyFragment = new PrincipalPolicyFragment({});
  readonly #statement: TrustStatement;

  constructor(statement: TrustStatement) {
    super();
    this.#statement = statement;
  }

  override addToAssumeRolePolicy(document: PolicyDocument): void {
    document.addStatements(PolicyStatement.fromJson(this.#statement));
  }

  /** Undefined: CDK merges no such principals. */
  dedupeString(): undefined {
    return undefined;
  }
}

/** Where a construct's role is, as far as it is known. */
export const placeOf = (scope: Construct): RolePlace => Stack.of(scope);

/** A role that exactly one kind of workload may assume. It may do nothing yet. */
export abstract class IdentityRole extends Role {
  constructor(
    scope: Construct,
    id: string,
    statement: TrustStatement,
    { roleName, description, permissionsBoundary, maxSessionDuration }: ConsumerRoleProps,
  ) {
    super(scope, id, {
      assumedBy: new Trusted(statement),
      ...(description !== undefined && { description }),
      ...(roleName !== undefined && { roleName }),
      ...(permissionsBoundary !== undefined && { permissionsBoundary }),
      ...(maxSessionDuration !== undefined && { maxSessionDuration }),
    });
    const length = policyLength(this.stack, { Version: "2012-10-17", Statement: [statement] });
    if (length > LONGEST_TRUST)
      throw new Error(
        `the trust policy of ${this.node.path} has ${length} characters, and IAM allows ${LONGEST_TRUST}; give some of those who may assume it a role of their own`,
      );
  }
}
