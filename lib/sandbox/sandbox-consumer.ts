import { Duration } from "aws-cdk-lib";
import {
  AccountRootPrincipal,
  CompositePrincipal,
  type IRole,
  ServicePrincipal,
} from "aws-cdk-lib/aws-iam";
import { Code } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import { bundleFolder } from "../functions/function-code.ts";
import { makeFunctionNetwork } from "../functions/function-network.ts";
import { MayflyFunction } from "../functions/mayfly-function.ts";
import type { ConsumerGrant } from "../roles/dynamic-role.ts";
import { setVariable } from "../roles/workload.ts";
import type { SandboxDatabase } from "./sandbox-database.ts";

/** Properties of a SandboxConsumer. */
export interface SandboxConsumerProps {
  /** The consumer's name, 1 to 16 of `[a-z0-9-]`. */
  readonly consumer: string;
  readonly sandbox: SandboxDatabase;
  /** Folder of the bundles. */
  readonly assets: string;
  /**
   * Physical name of the function's role.
   * @default - CloudFormation generates a name
   */
  readonly roleName?: string;
}

/**
 * An example application in the sandbox's VPC: `examples/user-service` asks Mayfly for a user, logs
 * in and returns rows.
 */
export class SandboxConsumer extends Construct {
  readonly role: IRole;
  readonly functionName: string;
  readonly #function: MayflyFunction;

  constructor(scope: Construct, id: string, props: SandboxConsumerProps) {
    super(scope, id);
    const { consumer, sandbox, assets, roleName } = props;
    this.#function = new MayflyFunction(this, "Function", {
      description: `Mayfly's sandbox: ${consumer} reads the orders`,
      code: Code.fromAsset(bundleFolder(assets, "user-service")),
      network: makeFunctionNetwork(this, "SecurityGroup", { ...sandbox.address, whose: consumer }),
      timeout: Duration.seconds(30),
      environment: {},
      roleName,
      // people and the demo may assume this role, to ask as the consumer from a shell
      assumedBy: new CompositePrincipal(
        new ServicePrincipal("lambda.amazonaws.com"),
        new AccountRootPrincipal(),
      ),
    });
    this.role = this.#function.role;
    this.functionName = this.#function.lambda.functionName;
    this.#function.lambda.node.addDependency(sandbox.lambdaEndpoint);
  }

  /** Ask for users through this grant. The function depends on the grant. */
  askThrough(grant: ConsumerGrant): void {
    setVariable(this.#function.lambda, grant.variable, grant.aliasArn);
    this.#function.lambda.node.addDependency(grant);
  }
}
