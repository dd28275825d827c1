import { Annotations, CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import { SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { EventBus } from "aws-cdk-lib/aws-events";
import type { IRole } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { type ISecret, Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Topic } from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";
import {
  type ParsedConfig,
  type ParsedConsumer,
  type ParsedDatabase,
  type ParsedHost,
  pascal,
} from "../config/config.ts";
import { toTrust } from "../config/trust.ts";
import { DynamicDatabase } from "./database/dynamic-database.ts";
import type { DatabaseLocation } from "./database/dynamic-database-props.ts";
import { BUILT_FUNCTIONS } from "./functions/function-code.ts";
import { consumerRole } from "./identity/consumer-role.ts";
import type { ConsumerGrant, DynamicRole } from "./roles/dynamic-role.ts";
import type { RotatedSecret } from "./rotation/rotated-secret.ts";
import { SandboxConsumer } from "./sandbox/sandbox-consumer.ts";
import { SANDBOX_ADMINISTRATOR, SandboxDatabase } from "./sandbox/sandbox-database.ts";

const NO_ROUTE_TABLE = "@aws-cdk/aws-ec2:noSubnetRouteTableId";

/** How a sandbox's server is trusted. */
const UNSAID = { tls: "verify-full" } as const;

/** Properties of a MayflyStack. */
export interface MayflyStackProps extends StackProps {
  /** What `parseConfig` returned. */
  readonly config: ParsedConfig;
  /**
   * Folder of the built functions.
   * @default - where `npm run build` leaves them
   */
  readonly assets?: string;
}

/** Everything that one configuration describes. */
export class MayflyStack extends Stack {
  /** Dynamic roles by `database/role`. */
  readonly #roles = new Map<string, DynamicRole>();
  readonly #aliasUnsealed: boolean;
  readonly #sandboxes = new Map<string, SandboxDatabase>();
  /** Rotated secrets by `database/secret`. */
  readonly #secrets = new Map<string, RotatedSecret>();

  constructor(scope: Construct, id: string, props: MayflyStackProps) {
    super(scope, id, props);
    const assets = props.assets ?? BUILT_FUNCTIONS;
    const { alarms, auditEvents, dashboard, aliasUnsealed } = props.config;
    this.#aliasUnsealed = aliasUnsealed;
    const bus = auditEvents && EventBus.fromEventBusArn(this, "audit-bus", auditEvents.busArn);
    const topic = alarms && Topic.fromTopicArn(this, "alarm-topic", alarms.topicArn);
    for (const [name, database] of Object.entries(props.config.databases)) {
      const made = this.#database(name, database, assets);
      this.#addRoles(name, database, made);
      this.#addSecrets(name, database, made);
      if (bus !== undefined) made.sendAuditEvents({ bus });
      if (topic !== undefined) made.addAlarms({ topic });
      if (dashboard) made.addDashboard();
      made.addLogQueries();
      new CfnOutput(this, `${pascal(name)}IssuerArn`, { value: made.issuerArn });
      new CfnOutput(this, `${pascal(name)}OperatorArn`, { value: made.operatorArn });
      new CfnOutput(this, `${pascal(name)}IssuerSecretArn`, { value: made.issuerSecretArn });
      new CfnOutput(this, `${pascal(name)}RevokerLogGroup`, { value: made.revokerLogGroupName });
    }
    for (const [name, consumer] of Object.entries(props.config.consumers))
      if (consumer.identity.kind === "sandbox") this.#addSandboxConsumer(name, consumer, assets);
      else this.#addGrants(name, consumer, consumerRole(this, name, consumer.identity));
  }

  #database(name: string, database: ParsedDatabase, assets: string): DynamicDatabase {
    const { target, roles: _roles, secrets: _secrets, loginRotation, ...settings } = database;
    const checked = { settings: { ...settings, ...toTrust(target ?? UNSAID) }, loginRotation };
    const common = { database: name, assets, aliasUnsealed: this.#aliasUnsealed };
    if (target !== undefined)
      return new DynamicDatabase(this, name, { ...common, ...this.#host(name, target) }, checked);
    const sandbox = new SandboxDatabase(this, `${name}-sandbox`, {
      databaseName: settings.databases[0] ?? "",
      owner: settings.owner,
      assets,
    });
    this.#sandboxes.set(name, sandbox);
    const made = new DynamicDatabase(this, name, { ...common, ...sandbox.address }, checked);
    made.provisionAfter(...sandbox.ready);
    return made;
  }

  #host(name: string, target: ParsedHost): HostProps {
    const { host, port, serverId, readers, cluster, instance } = target;
    const vpc = Vpc.fromVpcAttributes(this, `${name}-vpc`, {
      vpcId: target.vpc.vpcId,
      availabilityZones: [...target.vpc.availabilityZones],
      privateSubnetIds: [...target.vpc.privateSubnetIds],
    });
    Annotations.of(vpc).acknowledgeWarning(NO_ROUTE_TABLE, "nothing here reads a route table");
    return {
      host,
      port,
      ...(serverId !== undefined && { serverId }),
      ...(readers !== undefined && { readers: [...readers] }),
      ...(cluster !== undefined && { clusterIdentifier: cluster }),
      ...(instance !== undefined && { instanceIdentifier: instance }),
      adminSecret: this.#adminSecret(name, target.adminSecret),
      vpc,
      databaseConnections: SecurityGroup.fromSecurityGroupId(
        this,
        `${name}-security-group`,
        target.vpc.securityGroupId,
      ),
    };
  }

  #adminSecret(name: string, nameOrArn: string): ISecret {
    const id = `${name}-admin-secret`;
    return nameOrArn.startsWith("arn:")
      ? Secret.fromSecretCompleteArn(this, id, nameOrArn)
      : Secret.fromSecretNameV2(this, id, nameOrArn);
  }

  #addRoles(name: string, database: ParsedDatabase, made: DynamicDatabase): void {
    for (const [role, parsed] of Object.entries(database.roles))
      this.#roles.set(`${name}/${role}`, made.addCheckedRole(role, parsed));
  }

  #addSecrets(name: string, database: ParsedDatabase, made: DynamicDatabase): void {
    const sandbox = this.#sandboxes.get(name);
    for (const [secret, parsed] of Object.entries(database.secrets)) {
      const { kmsKeyArn: key, secretArn: arn, replicaRegions } = parsed;
      const master = parsed.strategy === "master-user" ? sandbox : undefined;
      const storage = {
        ...(arn !== undefined && {
          secret: Secret.fromSecretCompleteArn(this, `${name}-${secret}-existing`, arn),
        }),
        ...(key !== undefined && {
          encryptionKey: Key.fromKeyArn(this, `${name}-${secret}-key`, key),
        }),
        ...(replicaRegions.length > 0 && {
          replicaRegions: replicaRegions.map((region) => ({ region })),
        }),
        ...(master !== undefined && { instanceIdentifier: master.instance.instanceIdentifier }),
      };
      const rotated = made.addCheckedSecret(secret, storage, {
        ...parsed,
        ...(master !== undefined && { usernames: [SANDBOX_ADMINISTRATOR] }),
      });
      if (master !== undefined) rotated.rotateAfter(master.rdsEndpoint);
      this.#secrets.set(`${name}/${secret}`, rotated);
      const output = `${pascal(name)}${pascal(secret)}SecretArn`;
      new CfnOutput(this, output, { value: rotated.secret.secretArn });
    }
  }

  #addGrants(name: string, { grants, secrets }: ParsedConsumer, grantee: IRole): ConsumerGrant[] {
    for (const { database, secret } of secrets)
      this.#secrets.get(`${database}/${secret}`)?.grantRead(grantee);
    return grants.flatMap(
      ({ database, role }) =>
        this.#roles.get(`${database}/${role}`)?.addConsumer(name, grantee) ?? [],
    );
  }

  #addSandboxConsumer(name: string, consumer: ParsedConsumer, assets: string): void {
    const sandbox = this.#sandboxes.get(consumer.grants[0]?.database ?? "");
    if (sandbox === undefined)
      throw new Error(`consumer ${name} is of no sandbox; parse the config`);
    const made = new SandboxConsumer(this, `consumer-${name}`, { consumer: name, sandbox, assets });
    const [first] = this.#addGrants(name, consumer, made.role);
    if (first !== undefined) made.askThrough(first);
    new CfnOutput(this, `${pascal(name)}FunctionName`, { value: made.functionName });
    new CfnOutput(this, `${pascal(name)}RoleArn`, { value: made.role.roleArn });
  }
}

type HostProps = Pick<
  DatabaseLocation,
  | "host"
  | "port"
  | "serverId"
  | "readers"
  | "clusterIdentifier"
  | "instanceIdentifier"
  | "adminSecret"
  | "vpc"
  | "databaseConnections"
>;
