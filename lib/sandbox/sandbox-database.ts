import { CustomResource, Duration, RemovalPolicy, Tokenization } from "aws-cdk-lib";
import {
  InstanceClass,
  InstanceSize,
  InstanceType,
  type InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  SubnetType,
  Vpc,
} from "aws-cdk-lib/aws-ec2";
import { Code } from "aws-cdk-lib/aws-lambda";
import {
  CaCertificate,
  Credentials,
  DatabaseInstance,
  DatabaseInstanceEngine,
  ParameterGroup,
  PostgresEngineVersion,
  StorageType,
} from "aws-cdk-lib/aws-rds";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct, type IDependable } from "constructs";
import type { DynamicDatabaseProps } from "../database/dynamic-database-props.ts";
import { allowRead } from "../database/lease-secrets.ts";
import { bundleFolder } from "../functions/function-code.ts";
import { type FunctionNetworkProps, makeFunctionNetwork } from "../functions/function-network.ts";
import { HandlerProvider } from "../functions/handler-provider.ts";
import { MayflyFunction } from "../functions/mayfly-function.ts";
import { type PASSING, restrict } from "./endpoint-policy.ts";

/** The administrator of every sandbox. */
export const SANDBOX_ADMINISTRATOR = "postgres";

const ISOLATED = { subnetType: SubnetType.PRIVATE_ISOLATED };

/** Properties of a SandboxDatabase. */
export interface SandboxDatabaseProps {
  /** Name of the application database to create. */
  readonly databaseName: string;
  /** Name of the PostgreSQL role to create; it owns the seeded table. */
  readonly owner: string;
  /** Folder of the bundles. */
  readonly assets: string;
  /**
   * True: the seeder has no resource policy, because the Region has none.
   * @default false
   */
  readonly aliasUnsealed?: boolean;
}

/**
 * A small RDS PostgreSQL with a seeded table, in a VPC without internet access. For trials, not for
 * data that matters: it is deleted with the stack.
 */
export class SandboxDatabase extends Construct {
  readonly vpc: Vpc;
  readonly instance: DatabaseInstance;
  readonly adminSecret: ISecret;
  /** Resources that must exist before the database is used. */
  readonly ready: readonly IDependable[];
  #lambdaEndpoint: InterfaceVpcEndpoint | undefined;
  #rdsEndpoint: InterfaceVpcEndpoint | undefined;

  constructor(scope: Construct, id: string, props: SandboxDatabaseProps) {
    super(scope, id);
    this.vpc = new Vpc(this, "Vpc", {
      maxAzs: 2,
      natGateways: 0,
      subnetConfiguration: [{ name: "isolated", ...ISOLATED }],
      // CDK needs a custom resource to close the default group; nothing here uses that group
      restrictDefaultSecurityGroup: false,
    });
    // the APIs that the functions call; Lambda writes their logs, CDK's framework is outside the
    // VPC
    const endpoints = [
      this.#endpoint("SecretsManager", InterfaceVpcEndpointAwsService.SECRETS_MANAGER),
      this.#endpoint("Scheduler", new InterfaceVpcEndpointAwsService("scheduler")),
    ];
    this.instance = this.#instance(props.databaseName);
    if (this.instance.secret === undefined)
      throw new Error(`${this.node.path} has no secret; RDS instances with a generated one do`);
    this.adminSecret = this.instance.secret;
    this.ready = [...endpoints, this.instance, this.#seed(props, endpoints)];
  }

  /** The database's address and network, as props of a DynamicDatabase. */
  get address(): FunctionNetworkProps &
    Pick<DynamicDatabaseProps, "host" | "serverId" | "adminSecret"> {
    const { instanceResourceId } = this.instance;
    return {
      vpc: this.vpc,
      vpcSubnets: ISOLATED,
      databaseConnections: this.instance,
      host: this.instance.instanceEndpoint.hostname,
      port: this.instance.instanceEndpoint.port,
      ...(instanceResourceId !== undefined && { serverId: instanceResourceId }),
      adminSecret: this.adminSecret,
    };
  }

  /** The endpoint of the Lambda API, for consumers. Created when the first consumer needs it. */
  get lambdaEndpoint(): InterfaceVpcEndpoint {
    this.#lambdaEndpoint ??= this.#endpoint("Lambda", InterfaceVpcEndpointAwsService.LAMBDA);
    return this.#lambdaEndpoint;
  }

  /** The endpoint of the RDS API. Created if the administrator's password is rotated. */
  get rdsEndpoint(): InterfaceVpcEndpoint {
    this.#rdsEndpoint ??= this.#endpoint("Rds", InterfaceVpcEndpointAwsService.RDS);
    return this.#rdsEndpoint;
  }

  /** In one zone only: that costs half, and a sandbox may fail together with its zone. */
  #endpoint(
    id: keyof typeof PASSING,
    service: InterfaceVpcEndpointAwsService,
  ): InterfaceVpcEndpoint {
    const subnets = { subnets: this.vpc.isolatedSubnets.slice(0, 1) };
    const endpoint = this.vpc.addInterfaceEndpoint(id, { service, subnets });
    restrict(endpoint, id);
    return endpoint;
  }

  #instance(databaseName: string): DatabaseInstance {
    const engine = DatabaseInstanceEngine.postgres({ version: PostgresEngineVersion.VER_18_3 });
    return new DatabaseInstance(this, "Instance", {
      engine,
      instanceType: InstanceType.of(InstanceClass.T4G, InstanceSize.MICRO),
      vpc: this.vpc,
      vpcSubnets: ISOLATED,
      publiclyAccessible: false,
      databaseName,
      credentials: Credentials.fromGeneratedSecret(SANDBOX_ADMINISTRATOR),
      parameterGroup: new ParameterGroup(this, "Parameters", {
        engine,
        parameters: { "rds.force_ssl": "1" },
        removalPolicy: RemovalPolicy.DESTROY,
      }),
      caCertificate: CaCertificate.RDS_CA_RSA2048_G1,
      storageType: StorageType.GP3,
      allocatedStorage: 20,
      storageEncrypted: true,
      backupRetention: Duration.days(1),
      deleteAutomatedBackups: true,
      deletionProtection: false,
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }

  #seed(props: SandboxDatabaseProps, endpoints: readonly IDependable[]): CustomResource {
    const { hostname, port } = this.instance.instanceEndpoint;
    const network = makeFunctionNetwork(this, "SeederSecurityGroup", this.address);
    const seeder = new MayflyFunction(this, "Seeder", {
      description: "Mayfly: seeds the sandbox",
      code: Code.fromAsset(bundleFolder(props.assets, "seeder")),
      network,
      timeout: Duration.minutes(5),
      environment: {
        DB_HOST: hostname,
        DB_PORT: Tokenization.stringifyNumber(port),
        ADMIN_SECRET_ARN: this.adminSecret.secretArn,
      },
    });
    allowRead(seeder, [this.adminSecret]);
    const seed = new CustomResource(this, "Seed", {
      serviceToken: new HandlerProvider(this, "SeedFramework", {
        handler: seeder.lambda,
        unsealed: props.aliasUnsealed ?? false,
      }).serviceToken,
      resourceType: "Custom::MayflySandboxSeed",
      serviceTimeout: Duration.minutes(10),
      properties: { Database: props.databaseName, Owner: props.owner },
    });
    seed.node.addDependency(...endpoints, this.instance, network.securityGroup);
    return seed;
  }
}
