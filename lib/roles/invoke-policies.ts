import { Annotations, Aws, Names, Stack } from "aws-cdk-lib";
import { type IRole, ManagedPolicy, Policy, PolicyStatement, Role } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { tagOf } from "../../core/names.ts";
import { checkAttachable } from "../identity/attachable.ts";
import { watchPolicyLimits } from "./policy-limits.ts";

/**
 * IAM allows a role 10,240 characters of inline policies in all. Half of them stay free for what
 * else the role may do.
 */
const INLINE_CHARACTERS = 5_000;
/** IAM's limit of one managed policy is 6,144 characters, spaces not counted. */
const MANAGED_CHARACTERS = 6_000;
/** The length of a policy without its ARNs. */
const ENVELOPE = 120;
/** The partition, Region and account of an ARN may be unknown; these are the longest. */
const LONGEST_ARN_START = "arn:aws-us-gov:lambda:ap-southeast-99:123456789012:function:".length;
/** Quotation marks and a comma. */
const AROUND = 3;

const ID = "InvokeMayfly";

/** An alias of an issuer, as a policy names it. */
export interface NamedAlias {
  /** `<function>:<alias>` */
  readonly name: string;
  readonly arn: string;
}

/**
 * The policies by which one role may invoke aliases: an inline policy, and managed policies when it is
 * full. They are in the role's stack, and refer to no other stack.
 */
export class InvokePolicies extends Construct {
  readonly #grantee: IRole;
  #statement: PolicyStatement | undefined;
  #policies = 0;
  #free = 0;

  private constructor(grantee: IRole) {
    super(grantee as IRole & Construct, ID);
    this.#grantee = grantee;
  }

  /**
   * The policies of a role, made at the first call.
   *
   * @throws Error if CDK would attach no policy to it.
   */
  static of(grantee: IRole): InvokePolicies {
    const known = grantee.node.tryFindChild(ID);
    if (known instanceof InvokePolicies) return known;
    checkAttachable(grantee);
    watchPolicyLimits(grantee);
    return new InvokePolicies(grantee);
  }

  /** Let the role invoke one alias. */
  add({ name, arn }: NamedAlias): void {
    const length = LONGEST_ARN_START + name.length + AROUND;
    if (this.#statement === undefined || length > this.#free) this.#begin(arn);
    else this.#statement.addResources(arn);
    this.#free -= length;
  }

  /** Apps may give one construct several names of stacks, one for each stage. */
  #stack(): string {
    const stack = Stack.of(this);
    return tagOf((stack.nestedStackParent ?? stack).stackName);
  }

  #begin(arn: string): void {
    this.#statement = new PolicyStatement({
      sid: "AskMayfly",
      actions: ["lambda:InvokeFunction"],
      resources: [arn],
    });
    const props = { roles: [this.#grantee], statements: [this.#statement] };
    if (this.#policies === 0)
      // a role that exists may have policies of several stacks, in several Regions
      new Policy(this, "Policy", {
        policyName: `${Names.uniqueResourceName(this, { maxLength: 100 })}-${this.#stack()}-${Aws.REGION}`,
        ...props,
      });
    else new ManagedPolicy(this, `Policy${this.#policies + 1}`, props);
    if (this.#policies === 1 && !Role.isRole(this.#grantee))
      Annotations.of(this).addWarningV2(
        "mayfly:managed-policies",
        `the permissions of ${this.#grantee.roleArn} need managed policies, and IAM allows a role 10, with those that it has already; split the consumer if that is too many`,
      );
    this.#free = (this.#policies === 0 ? INLINE_CHARACTERS : MANAGED_CHARACTERS) - ENVELOPE;
    this.#policies += 1;
  }
}
