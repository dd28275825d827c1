import { ArnFormat, Duration, Stack } from "aws-cdk-lib";
import {
  ArnPrincipal,
  CfnRole,
  Effect,
  type IRole,
  PolicyDocument,
  PolicyStatement,
  StarPrincipal,
} from "aws-cdk-lib/aws-iam";
import { Alias, CfnPermission, CfnResourcePolicy } from "aws-cdk-lib/aws-lambda";
import { Construct, type IDependable } from "constructs";
import type { Grant } from "../../core/leases/deployment.ts";
import { aliasName, CONSUMER_NAME } from "../../core/names.ts";
import { isForeign } from "../database/secret-access.ts";
import type { MayflyFunction } from "../functions/mayfly-function.ts";
import { InvokePolicies } from "./invoke-policies.ts";

/** Everything by which a function can be called. */
const INVOCATIONS = ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:InvokeAsync"];

/** Properties of a DynamicRole, passed by DynamicDatabase. */
export interface DynamicRoleContext {
  readonly roleName: string;
  readonly issuer: MayflyFunction;
  /** The issuer's physical name. */
  readonly issuerName: string;
  /** What must be deployed before anybody can ask. */
  readonly provisioned: IDependable;
  /** Aliases have no policy of their own. */
  readonly aliasUnsealed: boolean;
  /** Called for each grant, before it is made; throws when it is too late for one. */
  readonly onGrant: (alias: string, grant: Grant, grantee: IRole) => void;
  /** Where the grant of that alias is made, when that is not the database's own stack. */
  readonly stackOf?: (alias: string) => Stack;
}

/** One consumer's right to one dynamic role: an alias of the issuer that only it may invoke. */
export class ConsumerGrant extends Construct {
  readonly aliasName: string;
  /**
   * What the consumer invokes. Built from names, so that another stack can use it without a
   * reference to this one.
   */
  readonly aliasArn: string;

  constructor(
    scope: Construct,
    id: string,
    { consumer, grantee }: { readonly consumer: string; readonly grantee: IRole },
    context: DynamicRoleContext,
  ) {
    super(scope, id);
    this.aliasName = aliasName(consumer, context.roleName);
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
      // an answer that nobody waits for is a login that nobody uses
      retryAttempts: 0,
      maxEventAge: Duration.seconds(60),
    });
    alias.node.addDependency(context.provisioned);
    const foreign = isForeign(grantee, Stack.of(this));
    if (!foreign)
      InvokePolicies.of(grantee).add({
        name: `${context.issuerName}:${this.aliasName}`,
        arn: this.aliasArn,
      });
    if (context.aliasUnsealed) {
      if (foreign) permit(this, alias, grantee);
      return;
    }
    // a name is one in this account; it says nothing of a role in another
    const roleArn = foreign ? grantee.roleArn : arnIn(Stack.of(this), grantee);
    const statements = [denyOthers(alias, roleArn)];
    if (foreign) statements.push(allow(alias, grantee));
    new CfnResourcePolicy(this, "ResourcePolicy", {
      resourceArn: alias.functionArn,
      policyDocument: new PolicyDocument({ statements }),
    });
  }
}

/** Nobody but the consumer's role, whatever its own policies say. A missing ARN is nobody too. */
const denyOthers = (alias: Alias, roleArn: string): PolicyStatement =>
  new PolicyStatement({
    sid: "OnlyTheConsumer",
    effect: Effect.DENY,
    principals: [new StarPrincipal()],
    actions: INVOCATIONS,
    resources: [alias.functionArn],
    conditions: { StringNotEquals: { "aws:PrincipalArn": roleArn } },
  });

/**
 * A role's ARN. That of another stack's role is built from its name, where it has one: a reference
 * would keep the other stack from removing the role before this one is deployed.
 */
function arnIn(stack: Stack, grantee: IRole): string {
  const { defaultChild } = grantee.node;
  if (Stack.of(grantee) === stack || !(defaultChild instanceof CfnRole)) return grantee.roleArn;
  const { roleName: resourceName, path } = defaultChild;
  // a role without a name has a token there, of nothing
  if (resourceName === undefined || stack.resolve(resourceName) === undefined || path !== undefined)
    return grantee.roleArn;
  return stack.formatArn({ service: "iam", region: "", resource: "role", resourceName });
}

/** Our half of what another account's role needs; the other half is a policy in its account. */
const allow = (alias: Alias, grantee: IRole): PolicyStatement =>
  new PolicyStatement({
    sid: "ForeignConsumer",
    principals: [new ArnPrincipal(grantee.roleArn)],
    actions: ["lambda:InvokeFunction"],
    resources: [alias.functionArn],
  });

/** The same, where an alias has no policy of its own. */
const permit = (scope: Construct, alias: Alias, grantee: IRole): CfnPermission =>
  new CfnPermission(scope, "Permission", {
    action: "lambda:InvokeFunction",
    functionName: alias.functionArn,
    principal: grantee.roleArn,
  });

/** A kind of access that can be issued: privileges, and how long and how often they are lent. */
export class DynamicRole extends Construct {
  readonly roleName: string;
  readonly #context: DynamicRoleContext;

  /** Made by `DynamicDatabase.addRole`. */
  constructor(scope: Construct, context: DynamicRoleContext) {
    super(scope, `role-${context.roleName}`);
    this.roleName = context.roleName;
    this.#context = context;
  }

  /**
   * Let a workload ask for this role.
   *
   * A role of another account also needs a policy there that allows `lambda:InvokeFunction` on the
   * grant's `aliasArn`.
   *
   * @param name of the consumer, 1 to 16 of `[a-z0-9-]`; part of every PostgreSQL user's name.
   * @param grantee the workload's role. Nobody else can use the grant, whatever their policies say.
   */
  addConsumer(name: string, grantee: IRole): ConsumerGrant {
    if (!CONSUMER_NAME.test(name))
      throw new Error(
        `"${name}" is not a consumer name; write 1 to 16 of a-z, 0-9 and single hyphens, a letter first`,
      );
    const alias = aliasName(name, this.roleName);
    this.#context.onGrant(alias, { consumer: name, role: this.roleName }, grantee);
    const nested = this.#context.stackOf?.(alias);
    const [scope, id] = nested === undefined ? [this, name] : [nested, alias];
    return new ConsumerGrant(scope, id, { consumer: name, grantee }, this.#context);
  }
}
