import { ArnFormat, Duration, Stack } from "aws-cdk-lib";
import {
  ArnPrincipal,
  CfnRole,
  type IRole,
  PolicyDocument,
  PolicyStatement,
} from "aws-cdk-lib/aws-iam";
import { Alias, CfnPermission, CfnResourcePolicy } from "aws-cdk-lib/aws-lambda";
import { Construct, type IDependable } from "constructs";
import type { Grant } from "../../core/leases/deployment.ts";
import { aliasName, CONSUMER_NAME, leaseVariable } from "../../core/names.ts";
import type { MayflyFunction } from "../functions/mayfly-function.ts";
import { isForeign } from "../identity/attachable.ts";
import type { AllowedCallers } from "../identity/role-elsewhere.ts";
import { InvokePolicies } from "./invoke-policies.ts";
import { denyOtherInvokers } from "./only-invoker.ts";
import { type LeaseLimits, Replicas } from "./replicas.ts";
import { type Grantee, isElsewhere, roleOf, setVariable, type Workload } from "./workload.ts";

/** Properties of a DynamicRole, passed by DynamicDatabase. */
export interface DynamicRoleContext {
  /** Name of the database in lease ids. */
  readonly database: string;
  readonly roleName: string;
  readonly issuer: MayflyFunction;
  /** The issuer's physical name. */
  readonly issuerName: string;
  readonly limits: LeaseLimits;
  /** Resources that must be deployed before a consumer can ask. */
  readonly provisioned: IDependable;
  /** True: aliases have no resource policy. */
  readonly aliasUnsealed: boolean;
  /** Called before each grant is made; throws if it is too late for another grant. */
  readonly onGrant: (alias: string, grant: Grant, identity: string) => void;
  /** The scope for the grant of an alias, if it is not made in the database's own stack. */
  readonly stackOf?: (alias: string) => Stack;
}

/** What is known of a consumer. */
export interface ConsumerOptions {
  /**
   * How many copies of it run at most, if each keeps a lease of its own, e.g. an ECS service's
   * `desiredCount`. Synthesis warns if the role has room for fewer than twice as many.
   * @default - unknown
   */
  readonly replicas?: number;
}

/** One consumer's right to one dynamic role: an alias of the issuer that only it may invoke. */
export class ConsumerGrant extends Construct {
  readonly aliasName: string;
  /**
   * The ARN that the consumer invokes. It is built from names, so that another stack can use it
   * without a reference to this stack.
   */
  readonly aliasArn: string;
  /**
   * The variable in which applications expect `aliasArn`: `MAYFLY_LEASE_<DATABASE>_<ROLE>`.
   */
  readonly variable: string;

  constructor(
    scope: Construct,
    id: string,
    { consumer, grantee }: { readonly consumer: string; readonly grantee: Grantee },
    context: DynamicRoleContext,
  ) {
    super(scope, id);
    this.aliasName = aliasName(consumer, context.roleName);
    this.variable = leaseVariable(`${context.database}/${context.roleName}`);
    this.aliasArn = Stack.of(this).formatArn({
      service: "lambda",
      resource: "function",
      resourceName: `${context.issuerName}:${this.aliasName}`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    const alias = new Alias(this, "Alias", {
      aliasName: this.aliasName,
      version: context.issuer.lambda.currentVersion,
      description: `${consumer} may ask for ${context.roleName}`,
      // nobody waits for the answer of an asynchronous call: its login would not be used
      retryAttempts: 0,
      maxEventAge: Duration.seconds(60),
    });
    alias.node.addDependency(context.provisioned);
    if (!isElsewhere(grantee))
      InvokePolicies.of(grantee).add({
        name: `${context.issuerName}:${this.aliasName}`,
        arn: this.aliasArn,
      });
    const foreignArn = this.#foreignArn(grantee);
    if (context.aliasUnsealed) {
      if (foreignArn !== undefined) permit(this, alias, foreignArn);
      return;
    }
    const allowed = callersOf(this, grantee, foreignArn);
    const statements = [denyOtherInvokers("OnlyTheConsumer", alias.functionArn, allowed)];
    if (foreignArn !== undefined) statements.push(allow(alias, foreignArn));
    new CfnResourcePolicy(this, "ResourcePolicy", {
      resourceArn: alias.functionArn,
      policyDocument: new PolicyDocument({ statements }),
    });
  }

  /** The ARN of another account's role, which must exist before a policy here can allow it. */
  #foreignArn(grantee: Grantee): string | undefined {
    if (isElsewhere(grantee)) return grantee.foreignArn;
    if (!isForeign(grantee, Stack.of(this))) return undefined;
    if (grantee.node.defaultChild instanceof CfnRole)
      Stack.of(this).addDependency(Stack.of(grantee));
    return grantee.roleArn;
  }
}

function callersOf(
  scope: Construct,
  grantee: Grantee,
  foreignArn: string | undefined,
): AllowedCallers {
  const stack = Stack.of(scope);
  if (isElsewhere(grantee)) return grantee.allowedBy(stack);
  // a name is one in this account; it says nothing of a role in another
  return { operator: "StringNotEquals", arns: foreignArn ?? arnIn(stack, grantee) };
}

/**
 * A role's ARN. If the role is in another stack and has a name, the ARN is built from the name: a
 * reference would stop the other stack from removing the role before this one is deployed.
 */
function arnIn(stack: Stack, grantee: IRole): string {
  const { defaultChild } = grantee.node;
  if (Stack.of(grantee) === stack || !(defaultChild instanceof CfnRole)) return grantee.roleArn;
  const { roleName: resourceName, path } = defaultChild;
  // if the role has no name, this is a token without a value
  if (resourceName === undefined || stack.resolve(resourceName) === undefined || path !== undefined)
    return grantee.roleArn;
  return stack.formatArn({ service: "iam", region: "", resource: "role", resourceName });
}

/** The permission for another account's role. The role also needs a policy in its own account. */
const allow = (alias: Alias, roleArn: string): PolicyStatement =>
  new PolicyStatement({
    sid: "ForeignConsumer",
    principals: [new ArnPrincipal(roleArn)],
    actions: ["lambda:InvokeFunction"],
    resources: [alias.functionArn],
  });

/** The same permission, for an alias without a policy of its own. */
const permit = (scope: Construct, alias: Alias, roleArn: string): CfnPermission =>
  new CfnPermission(scope, "Permission", {
    action: "lambda:InvokeFunction",
    functionName: alias.functionArn,
    principal: roleArn,
  });

/** A kind of access that can be issued: privileges, lifetimes and limits. */
export class DynamicRole extends Construct {
  readonly roleName: string;
  readonly #context: DynamicRoleContext;
  readonly #replicas: Replicas;

  /** Made by `DynamicDatabase.addRole`. */
  constructor(scope: Construct, context: DynamicRoleContext) {
    super(scope, `role-${context.roleName}`);
    this.roleName = context.roleName;
    this.#context = context;
    const name = `${context.database}/${context.roleName}`;
    this.#replicas = new Replicas(this, name, context.limits);
  }

  /**
   * Let a workload ask for this role. A function or a container also gets the grant's `variable`,
   * by which clients find it.
   *
   * A role of another account gets its policy in its own stack, if that is a stack of its account in
   * this app. Otherwise pass an {@link OtherAccountRole}, and attach the policy there.
   *
   * @param name of the consumer: 1 to 16 of `[a-z0-9-]`, a letter first. It is part of the name of
   *   every PostgreSQL user that the consumer gets.
   * @param workload a role, a function, or a container of an ECS task. No other role than its own
   *   can use the grant.
   * @throws Error if the name is malformed, belongs to another role, has this grant already, or the
   *   app was synthesized; if the workload's variable cannot be set, or is set already; if CDK would
   *   attach no policy to the role.
   */
  addConsumer(name: string, workload: Workload, { replicas }: ConsumerOptions = {}): ConsumerGrant {
    if (!CONSUMER_NAME.test(name))
      throw new Error(
        `"${name}" is not a consumer name; write 1 to 16 of a-z, 0-9 and single hyphens, a letter first`,
      );
    const grantee = roleOf(workload);
    const alias = aliasName(name, this.roleName);
    const identity = isElsewhere(grantee) ? grantee.roleElsewhere : grantee.roleArn;
    this.#context.onGrant(alias, { consumer: name, role: this.roleName }, identity);
    const nested = this.#context.stackOf?.(alias);
    const [scope, id] = nested === undefined ? [this, name] : [nested, alias];
    const grant = new ConsumerGrant(scope, id, { consumer: name, grantee }, this.#context);
    setVariable(workload, grant.variable, grant.aliasArn);
    if (replicas !== undefined) this.#replicas.add(name, replicas);
    return grant;
  }
}
