import { CustomResource, Duration, FileSystem, Lazy } from "aws-cdk-lib";
import { Code } from "aws-cdk-lib/aws-lambda";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct, type IDependable } from "constructs";
import type { ProvisionPlan } from "../core/provisioning/plan.ts";
import { bundleFolder } from "./function-code.ts";
import type { FunctionNetwork } from "./function-network.ts";
import { HandlerProvider } from "./handler-provider.ts";
import type { LeaseSecrets } from "./lease-secrets.ts";
import { MayflyFunction } from "./mayfly-function.ts";
import type { ReaderAccess } from "./reader-access.ts";
import type { RevocationSchedules } from "./revocation-schedules.ts";

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
  /** The physical name of a function. */
  readonly nameOf: (name: string) => string;
  /** What to make true; asked when the app is synthesized. */
  readonly plan: () => ProvisionPlan;
}

/** Makes the database ready for leases while the stack is deployed. */
export class Provisioning extends Construct {
  readonly #resource: CustomResource;

  constructor(scope: Construct, id: string, props: ProvisioningProps) {
    super(scope, id);
    const { address, adminSecret, schedules, secrets } = props;
    const folder = bundleFolder(props.assets, "provisioner");
    const provisioner = new MayflyFunction(this, "Provisioner", {
      functionName: props.nameOf("provisioner"),
      description: `Mayfly: makes ${props.database} ready for leases`,
      code: Code.fromAsset(folder),
      network: props.network,
      // the framework that waits for it has 15 minutes, and must still be there to report
      timeout: Duration.minutes(14),
      ...(props.reserveConcurrency && { reservedConcurrentExecutions: 1 }),
      environment: {
        ...address,
        ADMIN_SECRET_ARN: adminSecret.secretArn,
        ISSUER_SECRET_ARN: secrets.issuer.secretArn,
        JANITOR_SECRET_ARN: secrets.janitor.secretArn,
        SCHEDULE_GROUP: schedules.groupName,
      },
    });
    secrets.allowProvision(provisioner, adminSecret);
    schedules.allowRemove(provisioner);
    props.readers.allowList(provisioner);
    const provider = new HandlerProvider(this, "Framework", provisioner.lambda);
    this.#resource = new CustomResource(this, "Resource", {
      serviceToken: provider.serviceToken,
      resourceType: "Custom::MayflyProvision",
      serviceTimeout: Duration.minutes(20),
      properties: {
        Plan: Lazy.string({ produce: () => JSON.stringify(props.plan()) }),
        // CloudFormation calls again only when a property changes
        CodeHash: FileSystem.fingerprint(folder),
        Server: address,
      },
    });
    this.after(props.network.securityGroup, adminSecret, schedules);
  }

  /** Wait for these before, and keep them until after, the database is provisioned. */
  after(...dependencies: IDependable[]): void {
    this.#resource.node.addDependency(...dependencies);
  }
}
