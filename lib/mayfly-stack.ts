import { Annotations, CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import { SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { EventBus } from "aws-cdk-lib/aws-events";
import { PolicyDocument, PolicyStatement } from "aws-cdk-lib/aws-iam";
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
import { addressOf, tagOf } from "../core/names.ts";
import { DynamicDatabase } from "./database/dynamic-database.ts";
import type { DatabaseLocation } from "./database/dynamic-database-props.ts";
import { BUILT_FUNCTIONS } from "./functions/function-code.ts";
import { consumerRoleName, sandboxRoleName } from "./functions/physical-names.ts";
import { ConsumerRoles } from "./identity/consumer-roles.ts";
import type { ConsumerGrant, DynamicRole } from "./roles/dynamic-role.ts";
import { NestedStacks } from "./roles/nested-stacks.ts";
import { type Grantee, isElsewhere } from "./roles/workload.ts";
import type { RotatedSecret } from "./rotation/rotated-secret.ts";
import { SandboxConsumer } from "./sandbox/sandbox-consumer.ts";
import { SANDBOX_ADMINISTRATOR, SandboxDatabase } from "./sandbox/sandbox-database.ts";

const NO_ROUTE_TABLE = "@aws-cdk/aws-ec2:noSubnetRouteTableId";

/** How a sandbox's server is trusted. */
const UNSAID = { tls: "verify-full" } as const;

/** With more grants of one database, or more consumers, they are created in nested stacks. */
const MANY = 60;
/** From so many on, a decision is asked for: early enough to take it. */
const SOON = 40;

/** Properties of a MayflyStack. */
export interface MayflyStackProps extends StackProps {
  /** What `parseConfig` returned. */
  readonly config: ParsedConfig;
  /**
   * Folder of the built functions.
   * @default - the folder that `npm run build` writes; in the package, the bundles that it contains
   */
  readonly assets?: string;
}

/**
 * Everything that one configuration describes. The stack itself holds the consumers and the first
 * database; each other database has a stack of its own, `<stack>-<database>`. The stacks refer to
 * each other by names only, so CloudFormation deploys and rolls back each one alone.
 */
export class MayflyStack extends Stack {
  /** The stacks of the databases that have their own, by the database's name. */
  readonly databaseStacks: ReadonlyMap<string, Stack>;
  readonly #props: MayflyStackProps;
  readonly #assets: string;
  /** Dynamic roles by `database/role`. */
  readonly #roles = new Map<string, DynamicRole>();
  readonly #sandboxes = new Map<string, SandboxDatabase>();
  /** Rotated secrets by `database/secret`. */
  readonly #secrets = new Map<string, RotatedSecret>();

  constructor(scope: Construct, id: string, props: MayflyStackProps) {
    super(scope, id, props);
    this.#props = props;
    this.#assets = props.assets ?? BUILT_FUNCTIONS;
    const { databases, consumers } = props.config;
    this.databaseStacks = new Map(
      Object.entries(databases)
        .filter(([, { ownStack }], index) => ownStack ?? index > 0)
        .map(([name]) => [name, this.#databaseStack(name)]),
    );
    for (const [name, database] of Object.entries(databases)) this.#addDatabase(name, database);
    this.#warnOfUnsaidNesting();
    if (this.databaseStacks.size > 0)
      new CfnOutput(this, "DatabaseStacks", { value: [...this.databaseStacks.keys()].join(",") });
    const identities = Object.values(consumers).map(({ identity }) => identity);
    const roles = new ConsumerRoles(this.stackName, identities, this.#consumerStacks());
    for (const [name, consumer] of Object.entries(consumers))
      if (consumer.identity.kind === "sandbox") this.#addSandboxConsumer(name, consumer);
      else this.#addConsumer(name, consumer, roles.of(name, consumer.identity));
  }

  /**
   * Without `nestedStacks`, one consumer more or less could move deployed resources to another
   * stack, and CloudFormation refuses that.
   */
  #warnOfUnsaidNesting(): void {
    const { databases, consumers, nestedStacks } = this.#props.config;
    if (nestedStacks !== undefined) return;
    const counts: (readonly [what: string, count: number])[] = [
      ...Object.keys(databases).map(
        (name) => [`the grants of ${name}`, this.#numberOfGrants(name)] as const,
      ),
      ["the consumers", Object.keys(consumers).length],
    ];
    const many = counts.filter(([, count]) => count > MANY).map(([what]) => what);
    const soon = counts.filter(([, count]) => count > SOON && count <= MANY);
    if (many.length > 0)
      Annotations.of(this).addWarningV2(
        "mayfly:nested-stacks-unsaid",
        `${many.join(" and ")} are more than ${MANY}, so they are created in nested stacks; write nestedStacks: true to keep them there when they become fewer, or nestedStacks: false if they are deployed without nested stacks: deployed resources cannot move`,
      );
    if (soon.length > 0)
      Annotations.of(this).addWarningV2(
        "mayfly:nested-stacks-soon",
        `${soon.map(([what, count]) => `${what} (${count})`).join(" and ")} will be created in nested stacks when they are more than ${MANY}, and that deployment will fail, since deployed resources cannot move; write nestedStacks now: false if they are deployed, true if they are not`,
      );
  }

  #databaseStack(name: string): Stack {
    const { config: _config, assets: _assets, ...props } = this.#props;
    const stack = new Stack(this, name, { ...props, stackName: `${this.stackName}-${name}` });
    stack.node.addValidation({ validate: () => this.#namesakesOf(name, stack) });
    return stack;
  }

  /** Other stacks of the app that would be deployed over the stack of a database. */
  #namesakesOf(database: string, { stackName, environment, node }: Stack): string[] {
    return node.root.node.findAll().flatMap((other) => {
      if (!Stack.isStack(other) || other.node === node) return [];
      if (other.stackName !== stackName || other.environment !== environment) return [];
      return `the stack of the database ${database} is called ${stackName}, and so is ${other.node.path}: one would be deployed over the other; give the stack another stackName, or the database another name`;
    });
  }

  /** The stack of a database. */
  #stackOf(database: string): Stack {
    return this.databaseStacks.get(database) ?? this;
  }

  #addDatabase(name: string, database: ParsedDatabase): void {
    const { alarms, auditEvents, dashboard } = this.#props.config;
    const stack = this.#stackOf(name);
    const made = this.#database(stack, name, database);
    for (const [role, parsed] of Object.entries(database.roles))
      this.#roles.set(`${name}/${role}`, made.addCheckedRole(role, parsed));
    this.#addSecrets(stack, name, database, made);
    if (auditEvents !== undefined)
      made.sendAuditEvents({
        bus: EventBus.fromEventBusArn(stack, `${name}.audit-bus`, auditEvents.busArn),
      });
    if (alarms !== undefined)
      made.addAlarms({ topic: Topic.fromTopicArn(stack, `${name}.alarm-topic`, alarms.topicArn) });
    if (dashboard) made.addDashboard();
    made.addLogQueries();
    new CfnOutput(stack, `${pascal(name)}IssuerArn`, { value: made.issuerArn });
    new CfnOutput(stack, `${pascal(name)}OperatorArn`, { value: made.operatorArn });
    new CfnOutput(stack, `${pascal(name)}IssuerSecretArn`, { value: made.issuerSecretArn });
    new CfnOutput(stack, `${pascal(name)}RevokerLogGroup`, { value: made.revokerLogGroupName });
  }

  #database(stack: Stack, name: string, database: ParsedDatabase): DynamicDatabase {
    const { target, roles: _roles, secrets: _secrets, ownStack: _own, ...rest } = database;
    const { loginRotation, ...settings } = rest;
    // the command line derives the tag from the configuration, so it must not depend on the stack
    const tag = settings.tag ?? tagOf(addressOf(this.stackName, `${this.node.path}/${name}`));
    const checked = { settings: { ...settings, tag, ...toTrust(target ?? UNSAID) }, loginRotation };
    const { aliasUnsealed, nestedStacks } = this.#props.config;
    const nestGrants = nestedStacks ?? this.#numberOfGrants(name) > MANY;
    const common = { database: name, assets: this.#assets, aliasUnsealed, nestGrants };
    if (target !== undefined)
      return new DynamicDatabase(
        stack,
        name,
        { ...common, ...hostIn(stack, name, target) },
        checked,
      );
    const sandbox = new SandboxDatabase(stack, `${name}-sandbox`, {
      databaseName: settings.databases[0] ?? "",
      owner: settings.owner,
      assets: this.#assets,
      aliasUnsealed,
    });
    this.#sandboxes.set(name, sandbox);
    const made = new DynamicDatabase(stack, name, { ...common, ...sandbox.address }, checked);
    made.provisionAfter(...sandbox.ready);
    return made;
  }

  #numberOfGrants(name: string): number {
    const consumers = Object.values(this.#props.config.consumers);
    const all = consumers.flatMap(({ grants }) => grants);
    return all.filter(({ database }) => database === name).length;
  }

  #addSecrets(stack: Stack, name: string, database: ParsedDatabase, made: DynamicDatabase): void {
    const sandbox = this.#sandboxes.get(name);
    for (const [secret, parsed] of Object.entries(database.secrets)) {
      const { kmsKeyArn: key, secretArn: arn, replicaRegions } = parsed;
      const master = parsed.strategy === "master-user" ? sandbox : undefined;
      const storage = {
        ...(arn !== undefined && {
          secret: Secret.fromSecretCompleteArn(stack, `${name}.${secret}.existing`, arn),
        }),
        ...(key !== undefined && {
          encryptionKey: Key.fromKeyArn(stack, `${name}.${secret}.key`, key),
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
      new CfnOutput(stack, output, { value: rotated.secret.secretArn });
    }
  }

  /** A consumer outside the sandbox. If its policy is given elsewhere, the policy is an output. */
  #addConsumer(name: string, consumer: ParsedConsumer, grantee: Grantee): void {
    const grants = this.#addGrants(name, consumer, grantee);
    if (!isElsewhere(grantee)) return;
    const policy = new PolicyStatement({
      actions: ["lambda:InvokeFunction"],
      resources: grants.map(({ aliasArn }) => aliasArn),
    });
    new CfnOutput(this, `${pascal(name)}Policy`, {
      description: `for ${grantee.owner}`,
      value: this.toJsonString(new PolicyDocument({ statements: [policy] })),
    });
  }

  #addGrants(name: string, consumer: ParsedConsumer, grantee: Grantee): ConsumerGrant[] {
    const { grants, secrets, replicas } = consumer;
    if (!isElsewhere(grantee))
      for (const { database, secret } of secrets)
        this.#secrets.get(`${database}/${secret}`)?.grantRead(grantee);
    return grants.flatMap(
      ({ database, role }) =>
        this.#roles
          .get(`${database}/${role}`)
          ?.addConsumer(name, grantee, replicas === undefined ? {} : { replicas }) ?? [],
    );
  }

  #addSandboxConsumer(name: string, consumer: ParsedConsumer): void {
    const database = consumer.grants[0]?.database ?? "";
    const sandbox = this.#sandboxes.get(database);
    if (sandbox === undefined)
      throw new Error(`consumer ${name} has no sandbox; pass the result of parseConfig`);
    const stack = this.#stackOf(database);
    const made = new SandboxConsumer(stack, `consumer-${name}`, {
      consumer: name,
      sandbox,
      assets: this.#assets,
      roleName: sandboxRoleName(this.stackName, name),
    });
    const [first] = this.#addGrants(name, consumer, made.role);
    if (first !== undefined) made.askThrough(first);
    new CfnOutput(stack, `${pascal(name)}FunctionName`, { value: made.functionName });
    new CfnOutput(stack, `${pascal(name)}RoleArn`, { value: made.role.roleArn });
  }

  /** The stack in which a consumer's role and policies are created. */
  #consumerStacks(): (name: string) => Stack {
    const { consumers, nestedStacks } = this.#props.config;
    if (!(nestedStacks ?? Object.keys(consumers).length > MANY)) return () => this;
    const stacks = new NestedStacks(this, "Consumers");
    // nested stacks have outputs of their own, and this stack may have 200 at most
    new CfnOutput(this, "ConsumerRoleArns", {
      value: this.formatArn({
        service: "iam",
        region: "",
        resource: "role",
        resourceName: consumerRoleName(this.stackName, "*"),
      }),
    });
    return (name) => stacks.of(name);
  }
}

/** The address and the network of an existing server, for constructs of one stack. */
function hostIn(stack: Stack, name: string, target: ParsedHost): HostProps {
  const { host, port, serverId, readers, cluster, instance } = target;
  const vpc = Vpc.fromVpcAttributes(stack, `${name}.vpc`, {
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
    adminSecret: adminSecretIn(stack, `${name}.admin-secret`, target.adminSecret),
    vpc,
    databaseConnections: SecurityGroup.fromSecurityGroupId(
      stack,
      `${name}.security-group`,
      target.vpc.securityGroupId,
    ),
  };
}

const adminSecretIn = (stack: Stack, id: string, nameOrArn: string): ISecret =>
  nameOrArn.startsWith("arn:")
    ? Secret.fromSecretCompleteArn(stack, id, nameOrArn)
    : Secret.fromSecretNameV2(stack, id, nameOrArn);

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
