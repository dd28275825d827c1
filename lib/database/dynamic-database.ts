import { Aspects } from "aws-cdk-lib";
import { type IConnectable, Port } from "aws-cdk-lib/aws-ec2";
import { Grant, type IGrantable } from "aws-cdk-lib/aws-iam";
import type { ILogSubscriptionDestination } from "aws-cdk-lib/aws-logs";
import { Construct, type IDependable } from "constructs";
import type { ParsedRole, ParsedSecret } from "../../config/config.ts";
import { parseLoginRotation, parseRole, parseSettings } from "../../config/parts.ts";
import { toDeployment, toPlan } from "../../config/plan.ts";
import { tagOf } from "../../core/names.ts";
import { BUILT_FUNCTIONS } from "../functions/function-code.ts";
import { makeFunctionNetwork } from "../functions/function-network.ts";
import { LeaseFunctions } from "../functions/lease-functions.ts";
import { addressIn, physicalName } from "../functions/physical-names.ts";
import { RevocationSchedules } from "../functions/revocation-schedules.ts";
import { checkTrust } from "../identity/trust.ts";
import { Alarms, type AlarmsProps } from "../observability/alarms.ts";
import { AuditEvents, type AuditEventsProps } from "../observability/audit-events.ts";
import { AuditSubscription } from "../observability/audit-subscription.ts";
import { LeaseDashboard } from "../observability/lease-dashboard.ts";
import { LogQueries } from "../observability/log-queries.ts";
import { Watched } from "../observability/watched.ts";
import { checkAliasPolicies } from "../roles/alias-policy.ts";
import { DynamicRole } from "../roles/dynamic-role.ts";
import { NestedStacks } from "../roles/nested-stacks.ts";
import { CONSTRUCT_TIMES, DURATION } from "../rotation/construct-times.ts";
import { DatabaseRotations } from "../rotation/database-rotations.ts";
import type { RotatedSecret } from "../rotation/rotated-secret.ts";
import type { AddRotatedSecretProps, SecretStorage } from "../rotation/rotated-secret-props.ts";
import { RotatedSecrets } from "../rotation/rotated-secrets.ts";
import { Declarations } from "./declarations.ts";
import type {
  CheckedDatabase,
  DatabaseLocation,
  DynamicDatabaseProps,
  DynamicRoleProps,
} from "./dynamic-database-props.ts";
import { LeaseSecrets } from "./lease-secrets.ts";
import { Provisioning } from "./provisioning.ts";
import { portText, ReaderAccess } from "./reader-access.ts";

/** A quota of CloudWatch Logs, which AWS does not raise. */
const SUBSCRIPTIONS_OF_A_LOG_GROUP = 2;

/**
 * A PostgreSQL database with short-lived users: the functions that make these users and end them.
 */
export class DynamicDatabase extends Construct {
  /** Four of `[a-z2-7]`, part of the name of every PostgreSQL role that Mayfly creates. */
  readonly tag: string;
  /** ARN of the issuer function, without a qualifier. Consumers invoke its aliases. */
  readonly issuerArn: string;
  /** ARN of the operator function. */
  readonly operatorArn: string;
  /** ARN of the secret with the issuer logins, which Secrets Manager rotates. */
  readonly issuerSecretArn: string;
  /** Log group that holds the audit lines of scheduled revocations, receipts included. */
  readonly revokerLogGroupName: string;
  readonly #name: string;
  readonly #assets: string;
  readonly #aliasUnsealed: boolean;
  readonly #declarations: Declarations;
  readonly #functions: LeaseFunctions;
  readonly #provisioning: Provisioning;
  readonly #rotatedSecrets: RotatedSecrets;
  readonly #rotations: DatabaseRotations;
  readonly #watched: Watched;
  readonly #grantStacks: NestedStacks | undefined;
  /** The writer and its readers. */
  readonly #servers: readonly { readonly connections: IConnectable; readonly port: number }[];
  #alarms?: Alarms;
  #subscriptions = 0;

  constructor(scope: Construct, id: string, props: DynamicDatabaseProps);
  /** @param checked the parsed configuration, which only MayflyStack passes. */
  constructor(scope: Construct, id: string, props: DatabaseLocation, checked: CheckedDatabase);
  constructor(
    scope: Construct,
    id: string,
    props: DynamicDatabaseProps | DatabaseLocation,
    checked: CheckedDatabase = check(props as DynamicDatabaseProps),
  ) {
    super(scope, id);
    const { database, aliasUnsealed = false } = props;
    const { settings, loginRotation } = checked;
    this.#name = database;
    this.tag = settings.tag ?? tagOf(addressIn(this));
    const basics = { database, tag: this.tag, settings, loginRotation, aliasUnsealed };
    this.#aliasUnsealed = aliasUnsealed;
    checkAliasPolicies(this, database, aliasUnsealed);
    this.#declarations = new Declarations(this.node.path, basics);
    const { port = 5_432, host, assets = BUILT_FUNCTIONS } = props;
    this.#assets = assets;
    this.#grantStacks = props.nestGrants === true ? new NestedStacks(this, "Grants") : undefined;
    checkTrust(this, database, assets, settings);
    const writer = { connections: props.databaseConnections, port };
    const readers = new ReaderAccess(props, writer);
    this.#servers = [writer, ...readers.peers];
    this.#rotatedSecrets = new RotatedSecrets(this, database);
    const shared = {
      database,
      assets,
      network: makeFunctionNetwork(this, "SecurityGroup", {
        ...props,
        port,
        others: readers.peers,
      }),
      address: {
        DB_HOST: host,
        DB_PORT: portText(port),
        SERVER_ID: props.serverId ?? `${host}:${portText(port)}`,
        ...readers.address,
      },
      readers,
      secrets: new LeaseSecrets(this, "Secrets", database),
      schedules: new RevocationSchedules(this, "Schedules", this.tag),
      reserveConcurrency: settings.reserveConcurrency,
      nameOf: (name: string) => physicalName(this, this.tag, name),
    };
    this.#functions = new LeaseFunctions(this, "Functions", shared);
    this.#provisioning = new Provisioning(this, "Provisioning", {
      ...shared,
      adminSecret: props.adminSecret,
      operator: this.#functions.operator.role,
      aliasUnsealed,
      plan: () => toPlan(this.#declarations.all),
      rotatedSecrets: this.#rotatedSecrets,
    });
    this.#watched = new Watched({
      ...shared,
      functions: this.#functions,
      provisioner: this.#provisioning.provisioner,
      ceiling: () => this.#declarations.ceiling(),
    });
    this.#rotations = new DatabaseRotations(this, {
      ...shared,
      props: { ...props, port, assets },
      basics,
      registry: this.#rotatedSecrets,
      watched: this.#watched,
      provisioned: this.#provisioning,
    });
    for (const each of [props.databaseConnections, ...(props.readerConnections ?? [])])
      this.#provisioning.after(...each.connections.securityGroups);
    this.#functions.sweepSchedule.node.addDependency(this.#provisioning);
    // before there are leases the queue is empty; a deletion that fails must still revoke
    this.#provisioning.after(this.#functions.revocationMapping);
    this.issuerArn = this.#functions.issuer.lambda.functionArn;
    this.operatorArn = this.#functions.operator.lambda.functionArn;
    this.issuerSecretArn = shared.secrets.issuer.secretArn;
    this.revokerLogGroupName = this.#functions.revoker.lambda.logGroup.logGroupName;
    // an aspect runs when the whole app is known, and before tokens are resolved
    Aspects.of(this).add({
      visit: (node) => {
        if (node === this) this.#finish();
      },
    });
  }

  /**
   * Add a dynamic role.
   *
   * @param name 1 to 14 of `[a-z0-9-]`, a letter first; not `issuer`, `login`, `group`, `janitor`
   *   or
   *   `ender`.
   * @throws ConfigError with every problem of the name and the properties, one per line.
   * @throws Error if the database has a role of this name, or the app was synthesized already.
   */
  addRole(name: string, props: DynamicRoleProps): DynamicRole {
    return this.addCheckedRole(name, parseRole(name, DURATION, props));
  }

  /**
   * Add a dynamic role that was checked with the configuration.
   *
   * @internal
   */
  addCheckedRole(name: string, role: ParsedRole): DynamicRole {
    this.#declarations.addRole(name, role);
    const stacks = this.#grantStacks;
    return new DynamicRole(this, {
      database: this.#name,
      roleName: name,
      limits: role,
      issuer: this.#functions.issuer,
      issuerName: physicalName(this, this.tag, "issuer"),
      provisioned: this.#provisioning,
      aliasUnsealed: this.#aliasUnsealed,
      onGrant: (...grant) => this.#declarations.addGrant(...grant),
      ...(stacks !== undefined && { stackOf: (alias) => stacks.of(alias) }),
    });
  }

  /**
   * Add a rotated secret, for applications that cannot ask for leases. Before the first rotation
   * the provisioner creates its users with the privileges of `role` or `ownerGroup`.
   *
   * @param name 1 to 16 of `[a-z0-9-]`, a letter first; not `issuer` or `janitor`.
   * @throws ConfigError with every problem of the name and the properties, one per line.
   * @throws Error if the secret conflicts with another of the database, or the app was synthesized
   *   already.
   */
  addRotatedSecret(name: string, props: AddRotatedSecretProps): RotatedSecret {
    return this.addCheckedSecret(name, props, this.#rotations.check(name, props));
  }

  /**
   * Add a rotated secret that was checked with the configuration.
   *
   * @internal
   */
  addCheckedSecret(name: string, storage: SecretStorage, secret: ParsedSecret): RotatedSecret {
    this.#declarations.addSecret(name, secret);
    return this.#rotations.add(name, storage, secret);
  }

  /**
   * Open the network from a consumer to the database and its readers: a rule in their security
   * groups, also in imported ones, and one in the consumer's. A lease is needed all the same.
   *
   * @param peer e.g. a function in a VPC, an ECS service, a security group, or `Peer.ipv4(…)`.
   */
  connectFrom(peer: IConnectable): void {
    for (const { connections, port } of this.#servers)
      connections.connections.allowFrom(peer, Port.tcp(port), `consumers of ${this.#name}`);
  }

  /** Allow an identity to invoke the operator function, which lists and revokes leases. */
  grantOperate(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [this.operatorArn],
    });
  }

  /**
   * Create the alarms, which notify a topic when they begin and when they end. About $3 a month:
   * CloudWatch charges for each metric of an alarm.
   */
  addAlarms(props: AlarmsProps): Alarms {
    this.#alarms = new Alarms(this, "Alarms", props, this.#watched);
    return this.#alarms;
  }

  /** Create a dashboard. It shows the alarms if `addAlarms` was called before. $3 a month. */
  addDashboard(): LeaseDashboard {
    return new LeaseDashboard(this, "Dashboard", this.#watched, this.#alarms);
  }

  /** Save the queries of {@link LOG_QUERIES} in CloudWatch Logs Insights. */
  addLogQueries(): LogQueries {
    return new LogQueries(this, "LogQueries", this.#watched);
  }

  /**
   * Send each audit line to a destination when a function writes it.
   *
   * @throws Error at the third call, `sendAuditEvents` included: CloudWatch allows two
   *   subscriptions
   *   for a log group.
   */
  shipAuditTo(id: string, destination: ILogSubscriptionDestination): AuditSubscription {
    return this.#subscribe(() => new AuditSubscription(this, id, destination, this.#watched));
  }

  /**
   * Send each audit line to an event bus when a function writes it. If `addAlarms` is called later,
   * an alarm watches for events that could not be sent.
   *
   * @throws Error under the conditions of `shipAuditTo`.
   */
  sendAuditEvents(props: AuditEventsProps): AuditEvents {
    const parts = { assets: this.#assets, watched: this.#watched };
    const events = this.#subscribe(() => new AuditEvents(this, "AuditEvents", props, parts));
    this.#watched.unsentEvents = events.unsent;
    return events;
  }

  /**
   * Create these resources before the database is provisioned, and delete them after the
   * provisioner has removed Mayfly from it. For what the administrator, the network or the
   * endpoints need.
   */
  provisionAfter(...dependencies: IDependable[]): void {
    this.#provisioning.after(...dependencies);
  }

  /** Provisioning and removal write audit lines too, so the subscription covers both. */
  #subscribe<Made extends IDependable>(make: () => Made): Made {
    this.#subscriptions += 1;
    if (this.#subscriptions > SUBSCRIPTIONS_OF_A_LOG_GROUP)
      throw new Error(
        `audit lines of ${this.#name} go to ${SUBSCRIPTIONS_OF_A_LOG_GROUP} places already, and CloudWatch allows a log group no more; let one of them send them on`,
      );
    const made = make();
    this.#provisioning.after(made);
    return made;
  }

  #finish(): void {
    const declared = this.#declarations.finish();
    this.#functions.complete(toDeployment(declared), toPlan(declared));
    this.#provisioning.complete();
    this.#rotatedSecrets.watch(this.#functions.sweeper);
  }
}

/** @throws ConfigError with every problem of the properties, one per line. */
function check(props: DynamicDatabaseProps): CheckedDatabase {
  const { database, databases, maintenanceDatabase, owner, ca, tls, tag } = props;
  const { shards, reserveConcurrency, watch, loginRotation = {} } = props;
  const given = { databases, maintenanceDatabase, owner, ca, tls, tag, shards, watch };
  return {
    settings: parseSettings(database, { ...given, reserveConcurrency }),
    loginRotation: parseLoginRotation(database, CONSTRUCT_TIMES, loginRotation),
  };
}
