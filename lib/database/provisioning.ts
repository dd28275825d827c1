import { Aws, CustomResource, Duration, FileSystem, Lazy } from "aws-cdk-lib";
import type { IRole } from "aws-cdk-lib/aws-iam";
import { Alias } from "aws-cdk-lib/aws-lambda";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct, type IDependable } from "constructs";
import { PROVISIONER_OPERATIONS } from "../../core/provisioning/operation.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import { bundleFolder, FunctionCode } from "../functions/function-code.ts";
import type { FunctionNetwork } from "../functions/function-network.ts";
import { HandlerProvider } from "../functions/handler-provider.ts";
import { MayflyFunction } from "../functions/mayfly-function.ts";
import type { RevocationSchedules } from "../functions/revocation-schedules.ts";
import { sealInvocations } from "../roles/only-invoker.ts";
import type { RotatedSecrets } from "../rotation/rotated-secrets.ts";
import type { LeaseSecrets } from "./lease-secrets.ts";
import type { ReaderAccess } from "./reader-access.ts";
import { secretIdOf } from "./secret-access.ts";

/** Properties of Provisioning. */
export interface ProvisioningProps {
  readonly database: string;
  /** Folder of the bundles. */
  readonly assets: string;
  readonly network: FunctionNetwork;
  /** `DB_HOST`, `DB_PORT`, `SERVER_ID`, and where readers are. */
  readonly address: Readonly<Record<string, string>>;
  readonly readers: ReaderAccess;
  readonly secrets: LeaseSecrets;
  readonly schedules: RevocationSchedules;
  readonly adminSecret: ISecret;
  readonly reserveConcurrency: boolean;
  /** The role of the operator function, which alone may invoke the provisioner's aliases. */
  readonly operator: IRole;
  /** True: the provisioner and its aliases have no resource policy. */
  readonly aliasUnsealed: boolean;
  /** The physical name of a function. */
  readonly nameOf: (name: string) => string;
  /** Returns the plan. Called when the app is synthesized. */
  readonly plan: () => ProvisionPlan;
  readonly rotatedSecrets: RotatedSecrets;
}

/** Makes the database ready for leases: during a deployment, and when an operator asks. */
export class Provisioning extends Construct {
  readonly #resource: CustomResource;
  readonly provisioner: MayflyFunction;
  readonly #code: FunctionCode;
  readonly #plan: () => ProvisionPlan;
  readonly #rotatedSecrets: RotatedSecrets;

  constructor(scope: Construct, id: string, props: ProvisioningProps) {
    super(scope, id);
    const { address, adminSecret, schedules, secrets } = props;
    const folder = bundleFolder(props.assets, "provisioner");
    this.#plan = props.plan;
    this.#rotatedSecrets = props.rotatedSecrets;
    this.#code = new FunctionCode(folder);
    this.provisioner = new MayflyFunction(this, "Provisioner", {
      functionName: props.nameOf("provisioner"),
      description: `Mayfly: makes ${props.database} ready for leases`,
      code: this.#code,
      network: props.network,
      // the framework that waits for it has 15 minutes, and must still be there to report
      timeout: Duration.minutes(14),
      ...(props.reserveConcurrency && { reservedConcurrentExecutions: 1 }),
      environment: {
        ...address,
        // of the metrics, also if the plan cannot be read
        DATABASE: props.database,
        ADMIN_SECRET_ARN: secretIdOf(adminSecret),
        ISSUER_SECRET_ARN: secrets.issuer.secretArn,
        JANITOR_SECRET_ARN: secrets.janitor.secretArn,
        SCHEDULE_GROUP: schedules.groupName,
        // a custom resource's event says it; a call of the operator's does not
        STACK_ID: Aws.STACK_ID,
      },
    });
    secrets.allowProvision(this.provisioner, adminSecret);
    schedules.allowRemove(this.provisioner);
    props.readers.allowList(this.provisioner);
    const provider = new HandlerProvider(this, "Framework", {
      handler: this.provisioner.lambda,
      unsealed: props.aliasUnsealed,
    });
    for (const operation of PROVISIONER_OPERATIONS) this.#addOperation(operation, props);
    this.#resource = new CustomResource(this, "Resource", {
      serviceToken: provider.serviceToken,
      resourceType: "Custom::MayflyProvision",
      serviceTimeout: Duration.minutes(20),
      properties: {
        Plan: Lazy.string({ produce: () => JSON.stringify(props.plan()) }),
        // CloudFormation calls the provisioner again only if a property changes
        CodeHash: FileSystem.fingerprint(folder),
        Server: address,
        // another secret may hold another password of the same user
        RotatedSecrets: Lazy.any({ produce: () => props.rotatedSecrets.arns(this.#madeFrom()) }),
      },
    });
    this.after(props.network.securityGroup, adminSecret, schedules);
  }

  /** Write `plan.json`, for calls without a plan, and allow the provisioner to use its secrets. */
  complete(): void {
    this.#code.complete(this.provisioner, { "plan.json": this.#plan() });
    this.#rotatedSecrets.read(this.provisioner, this.#madeFrom());
  }

  /** An alias by which the operator function has one thing done, and nothing else. */
  #addOperation(
    aliasName: string,
    { operator, aliasUnsealed }: Pick<ProvisioningProps, "operator" | "aliasUnsealed">,
  ): void {
    const scope = new Construct(this, `operation-${aliasName}`);
    const alias = new Alias(scope, "Alias", {
      aliasName,
      version: this.provisioner.lambda.currentVersion,
      description: `The operator function may ask for ${aliasName}`,
    });
    if (!aliasUnsealed)
      sealInvocations(scope, "OnlyTheOperator", alias.functionArn, operator.roleArn);
  }

  /** The secrets whose users the provisioner creates. */
  #madeFrom(): readonly string[] {
    return Object.keys(this.#plan().rotatedUsers ?? {});
  }

  /** Create these before the database is provisioned, and delete them after it is removed. */
  after(...dependencies: IDependable[]): void {
    this.#resource.node.addDependency(...dependencies);
  }
}
