import { Annotations, Aspects, Stack, Token } from "aws-cdk-lib";
import { Grant, type IGrantable, type IRole } from "aws-cdk-lib/aws-iam";
import type { ILogSubscriptionDestination } from "aws-cdk-lib/aws-logs";
import { Construct, type IDependable } from "constructs";
import {
  type ParsedRole,
  type ParsedSettings,
  type ParsedTrust,
  parseRole,
  parseSettings,
} from "../core/config/config.ts";
import { type Declared, deploymentOf, planOf } from "../core/declared.ts";
import type { Grant as DeployedGrant } from "../core/deployment.ts";
import { addressOf, tagOf } from "../core/names.ts";
import { Alarms, type AlarmsProps } from "./alarms.ts";
import { AuditEvents, type AuditEventsProps } from "./audit-events.ts";
import { AuditSubscription } from "./audit-subscription.ts";
import type { DynamicDatabaseProps, DynamicRoleProps } from "./dynamic-database-props.ts";
import { DynamicRole } from "./dynamic-role.ts";
import { BUILT_FUNCTIONS, checkRoots } from "./function-code.ts";
import { makeFunctionNetwork } from "./function-network.ts";
import { LeaseDashboard } from "./lease-dashboard.ts";
import { LeaseFunctions } from "./lease-functions.ts";
import { LeaseSecrets } from "./lease-secrets.ts";
import { LogQueries } from "./log-queries.ts";
import { Provisioning } from "./provisioning.ts";
import { portText, ReaderAccess } from "./reader-access.ts";
import { RevocationSchedules } from "./revocation-schedules.ts";
import { Watched } from "./watched.ts";

/** CloudWatch's limit, which cannot be raised. */
const SUBSCRIPTIONS_OF_A_LOG_GROUP = 2;

/** A PostgreSQL database whose users live for a while: functions beside it that make and end them. */
export class DynamicDatabase extends Construct {
  /** Part of every PostgreSQL role's name. */
  readonly tag: string;
  /** Unqualified ARN of the issuer; consumers invoke its aliases. */
  readonly issuerArn: string;
  /** ARN of the operator function. */
  readonly operatorArn: string;
  /** Log group that holds the audit lines of scheduled revocations, receipts included. */
  readonly revokerLogGroupName: string;
  readonly #name: string;
  readonly #assets: string;
  readonly #settings: ParsedSettings & ParsedTrust;
  readonly #functions: LeaseFunctions;
  readonly #provisioning: Provisioning;
  readonly #watched: Watched;
  readonly #roles = new Map<string, ParsedRole>();
  readonly #grants = new Map<string, DeployedGrant>();
  readonly #consumers = new Map<string, string>();
  #alarms?: Alarms;
  #subscriptions = 0;
  #finished = false;

  constructor(scope: Construct, id: string, props: DynamicDatabaseProps) {
    super(scope, id);
    const { database, databases, owner, ca, tls, tag, shards, reserveConcurrency } = props;
    const settings = { databases, owner, ca, tls, tag, shards, reserveConcurrency };
    this.#name = database;
    this.#settings = parseSettings(database, settings);
    this.tag = this.#settings.tag ?? tagOf(this.#address());
    const { port = 5_432, host } = props;
    const assets = props.assets ?? BUILT_FUNCTIONS;
    this.#assets = assets;
    checkRoots(assets, Stack.of(this).region, this.#settings);
    const readers = new ReaderAccess(props, { connections: props.databaseConnections, port });
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
      reserveConcurrency: this.#settings.reserveConcurrency,
      nameOf: (name: string) => this.#nameOf(name),
    };
    this.#functions = new LeaseFunctions(this, "Functions", shared);
    this.#provisioning = new Provisioning(this, "Provisioning", {
      ...shared,
      adminSecret: props.adminSecret,
      plan: () => planOf(this.#declared()),
    });
    this.#watched = new Watched({
      ...shared,
      functions: this.#functions,
      provisioner: this.#provisioning.provisioner,
      ceiling: () => [...this.#roles.values()].reduce((sum, { maxLeases }) => sum + maxLeases, 0),
    });
    for (const each of [props.databaseConnections, ...(props.readerConnections ?? [])])
      this.#provisioning.after(...each.connections.securityGroups);
    this.#functions.sweepSchedule.node.addDependency(this.#provisioning);
    this.issuerArn = this.#functions.issuer.lambda.functionArn;
    this.operatorArn = this.#functions.operator.lambda.functionArn;
    this.revokerLogGroupName = this.#functions.revoker.lambda.logGroup.logGroupName;
    if (this.#settings.tls === "plaintext")
      Annotations.of(this).addWarningV2(
        "mayfly:plaintext",
        `${database} is reached without TLS: passwords' proofs and data are readable on the way`,
      );
    // an aspect is visited when the whole app is known and before anything is resolved
    Aspects.of(this).add({
      visit: (node) => {
        if (node === this) this.#finish();
      },
    });
  }

  /**
   * Add a dynamic role.
   *
   * @param name 1 to 14 of `[a-z0-9-]`.
   * @throws ConfigError with all that is wrong with it.
   */
  addRole(name: string, props: DynamicRoleProps): DynamicRole {
    this.#refuseWhenFinished(`role "${name}"`);
    const { ttl, maxTtl, ...rest } = props;
    const lengths = { ttl: `${ttl.toSeconds()}s`, maxTtl: `${maxTtl.toSeconds()}s` };
    const settings = parseRole(name, { ...rest, ...lengths });
    if (this.#roles.has(name)) throw new Error(`${this.#name} has a role "${name}" already`);
    this.#roles.set(name, settings);
    return new DynamicRole(this, {
      roleName: name,
      issuer: this.#functions.issuer,
      issuerName: this.#nameOf("issuer"),
      provisioned: this.#provisioning,
      onGrant: (alias, grant, grantee) => this.#addGrant(alias, grant, grantee),
    });
  }

  /** Let people list and revoke leases, by invoking the operator function. */
  grantOperate(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [this.operatorArn],
    });
  }

  /** Tell a topic when a promise is broken, and when it is kept again. About $2 a month. */
  addAlarms(props: AlarmsProps): Alarms {
    this.#alarms = new Alarms(this, "Alarms", props, this.#watched);
    return this.#alarms;
  }

  /** Show who holds what; with the alarms, if they were added before. $3 a month. */
  addDashboard(): LeaseDashboard {
    return new LeaseDashboard(this, "Dashboard", this.#watched, this.#alarms);
  }

  /** Save the queries that auditors ask for. */
  addLogQueries(): LogQueries {
    return new LogQueries(this, "LogQueries", this.#watched);
  }

  /**
   * Send every audit line on as it is written.
   *
   * @throws Error for a third, `sendAuditEvents` included: CloudWatch allows a log group two.
   */
  shipAuditTo(id: string, destination: ILogSubscriptionDestination): AuditSubscription {
    return this.#subscribe(() => new AuditSubscription(this, id, destination, this.#watched));
  }

  /**
   * Put every audit line on an event bus as it is written; before `addAlarms`, which then watches
   * that too.
   *
   * @throws Error as `shipAuditTo`.
   */
  sendAuditEvents(props: AuditEventsProps): AuditEvents {
    const parts = { assets: this.#assets, watched: this.#watched };
    const events = this.#subscribe(() => new AuditEvents(this, "AuditEvents", props, parts));
    this.#watched.unsentEvents = events.unsent;
    return events;
  }

  /**
   * Provision the database only after these, and keep them until it is given up: what its
   * administrator, network or endpoints need.
   */
  provisionAfter(...dependencies: IDependable[]): void {
    this.#provisioning.after(...dependencies);
  }

  /** Made before the database is provisioned, and kept until it is given up: that writes lines too. */
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

  /** A nested stack's name is known only to CloudFormation; its path must do. */
  #address(): string {
    const { stackName } = Stack.of(this);
    const { path } = this.node;
    return Token.isUnresolved(stackName) ? path : addressOf(stackName, path);
  }

  /** A physical name, the same at every synthesis, of at most 64 characters. */
  #nameOf(suffix: string): string {
    const { stackName } = Stack.of(this);
    const end = `${this.tag}-${suffix}`;
    if (Token.isUnresolved(stackName)) return `mayfly-${end}`;
    return `mayfly-${stackName.slice(0, 64 - "mayfly--".length - end.length)}-${end}`;
  }

  #addGrant(alias: string, grant: DeployedGrant, grantee: IRole): void {
    this.#refuseWhenFinished(`consumer "${grant.consumer}"`);
    const known = this.#consumers.get(grant.consumer) ?? grantee.roleArn;
    if (known !== grantee.roleArn)
      throw new Error(
        `consumer "${grant.consumer}" of ${this.#name} is another role already; one name is one role, choose another name`,
      );
    if (this.#grants.has(alias))
      throw new Error(`${grant.consumer} may ask for ${this.#name}/${grant.role} already`);
    this.#consumers.set(grant.consumer, known);
    this.#grants.set(alias, grant);
  }

  #refuseWhenFinished(what: string): void {
    if (this.#finished)
      throw new Error(`${what} comes too late: ${this.node.path} was synthesized already`);
  }

  #finish(): void {
    this.#finished = true;
    this.#functions.complete(deploymentOf(this.#declared()));
    this.#provisioning.complete();
  }

  #declared(): Declared {
    const database = this.#name;
    const settings = this.#settings;
    return { database, tag: this.tag, settings, roles: this.#roles, grants: this.#grants };
  }
}
