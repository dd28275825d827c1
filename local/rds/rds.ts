import { type Account, arnOf, randomEnd } from "../account.ts";
import type { Created, Resource, ResourceTypes } from "../cloudformation/resource.ts";
import { AwsError, notImplemented } from "../http/aws-error.ts";
import { operation, queryService, type Service } from "../http/protocols.ts";
import type { Access } from "../iam/access.ts";
import type { Session } from "../iam/identity.ts";
import { type EmbeddedPostgres, startPostgres } from "../postgres/postgres.ts";
import { type DescribeInstances, described, filterOf, type Instance } from "./rds-description.ts";
import { assertPassword, MasterPassword } from "./rds-password.ts";
import { isReplica, type Replica, startReplica } from "./rds-replica.ts";

interface InstanceProperties {
  readonly DBInstanceIdentifier?: string;
  readonly DBName: string;
  readonly Engine: string;
  readonly EngineVersion?: string;
  readonly MasterUsername: string;
  readonly MasterUserPassword: string;
  readonly DBParameterGroupName?: string;
}

interface ParameterGroupProperties {
  readonly DBParameterGroupName?: string;
  readonly Parameters?: Readonly<Record<string, string>>;
}

interface ModifyInstance {
  readonly DBInstanceIdentifier: string;
  readonly MasterUserPassword?: string;
  /** A password is changed as soon as possible, whatever this says. */
  readonly ApplyImmediately?: string;
}

/** Amazon RDS: one PostgreSQL instance, which is the embedded server, and its read replicas. */
export class Rds {
  readonly #account: Account;
  readonly #access: Access;
  readonly #parameters = new Map<string, Readonly<Record<string, string>>>();
  readonly #onFault: (line: string) => void;
  #replicas: readonly (Replica & { readonly resourceId: string })[] = [];
  #instance: Instance | undefined;
  readonly #password: MasterPassword;

  constructor(account: Account, access: Access, onFault: (line: string) => void) {
    this.#account = account;
    this.#access = access;
    this.#onFault = onFault;
    this.#password = new MasterPassword(onFault);
  }

  readonly service: Service = queryService("rds", "http://rds.amazonaws.com/doc/2014-10-31/", {
    DescribeDBClusters: operation<{ DBClusterIdentifier?: string }>(async (input, caller) => {
      await this.#noCluster(caller, "DescribeDBClusters", input.DBClusterIdentifier);
      return { DBClusters: {} };
    }),
    ModifyDBCluster: operation<{ DBClusterIdentifier: string }>((input, caller) =>
      this.#noCluster(caller, "ModifyDBCluster", input.DBClusterIdentifier),
    ),
    ModifyDBInstance: operation<ModifyInstance>((input, caller) => this.#modify(input, caller)),
    DescribeDBInstances: operation<DescribeInstances>(async (input, caller) => {
      const wanted = input.DBInstanceIdentifier;
      await this.#access.authorize(caller, {
        action: "rds:DescribeDBInstances",
        resource: wanted?.startsWith("arn:") ? wanted : this.#arn(wanted ?? "*"),
      });
      const named = filterOf(input);
      const found = this.#described().filter(
        ({ DBInstanceIdentifier: id, DBInstanceArn: arn }) =>
          (wanted === undefined || id === wanted || arn === wanted) &&
          (named === undefined || named.includes(id)),
      );
      if (wanted !== undefined && found.length === 0) throw notFound(wanted);
      return { DBInstances: { DBInstance: found } };
    }),
  });

  readonly resources: ResourceTypes = {
    "AWS::RDS::DBInstance": {
      changes: {},
      create: (resource) =>
        isReplica(resource.properties) ? this.#replicate(resource) : this.#create(resource),
      remove: ({ ref }) => this.#remove(ref),
    },
    "AWS::RDS::DBParameterGroup": {
      changes: { Description: "update", Tags: "update" },
      create: ({ properties, physicalName }) => {
        const { DBParameterGroupName, Parameters = {} } = properties as ParameterGroupProperties;
        const name = DBParameterGroupName ?? physicalName(255).toLowerCase();
        this.#parameters.set(name, Parameters);
        return { ref: name, attributes: { DBParameterGroupName: name } };
      },
      remove: ({ ref }) => void this.#parameters.delete(ref),
    },
  };

  /** The running server, if the template has an instance. */
  get server(): EmbeddedPostgres | undefined {
    return this.#instance?.server;
  }

  /** What Secrets Manager adds to a secret that is attached to the instance. */
  facts(id: string): Record<string, unknown> {
    if (this.#instance?.id !== id) throw new Error(`no DBInstance ${id} to attach a secret to`);
    const { dbname, server } = this.#instance;
    const { host, port } = server;
    return { engine: "postgres", host, port, dbname, dbInstanceIdentifier: id };
  }

  /** @throws AwsError for every name: there are no clusters. */
  async #noCluster(caller: Session, what: string, wanted: string | undefined): Promise<void> {
    await this.#access.authorize(caller, {
      action: `rds:${what}`,
      resource: arnOf(this.#account, "rds", `cluster:${wanted ?? "*"}`),
    });
    if (wanted === undefined) return;
    throw new AwsError("DBClusterNotFoundFault", `DBCluster ${wanted} not found.`, { status: 404 });
  }

  /** The reply still says `available`, and what is pending. */
  async #modify(input: ModifyInstance, caller: Session) {
    const {
      DBInstanceIdentifier: wanted,
      MasterUserPassword,
      ApplyImmediately: _,
      ...rest
    } = input;
    await this.#access.authorize(caller, {
      action: "rds:ModifyDBInstance",
      resource: wanted.startsWith("arn:") ? wanted : this.#arn(wanted),
    });
    const instance = this.#described().find(
      ({ DBInstanceIdentifier: id, DBInstanceArn: arn }) => id === wanted || arn === wanted,
    );
    if (instance === undefined || this.#instance === undefined) throw notFound(wanted);
    const [other] = Object.keys(rest);
    if (other !== undefined) throw notImplemented("rds", `ModifyDBInstance with ${other}`);
    if (MasterUserPassword === undefined) return { DBInstance: instance };
    if (instance.DBInstanceIdentifier !== this.#instance.id)
      throw new AwsError(
        "InvalidParameterCombination",
        "The master password of a read replica is that of its source.",
      );
    assertPassword(MasterUserPassword);
    this.#password.set(this.#instance.server, MasterUserPassword);
    const PendingModifiedValues = { MasterUserPassword: "****" };
    return { DBInstance: { ...instance, PendingModifiedValues } };
  }

  async #create({ properties, physicalName, logicalId }: Resource): Promise<Created> {
    const wanted = properties as unknown as InstanceProperties;
    if (wanted.Engine !== "postgres" || !wanted.DBName)
      throw new Error(
        `${logicalId}: the local runner has a DBInstance of engine postgres, with a DBName; got "${wanted.Engine}" and "${wanted.DBName}"`,
      );
    const id = wanted.DBInstanceIdentifier ?? physicalName(63).toLowerCase();
    const parameters = this.#parameters.get(wanted.DBParameterGroupName ?? "") ?? {};
    const { DBName: dbname } = wanted;
    const server = await startPostgres({
      masterUsername: wanted.MasterUsername,
      masterPassword: wanted.MasterUserPassword,
      database: dbname,
      // From PostgreSQL 15 on, RDS forces TLS unless a parameter group says otherwise.
      forceTls: String(parameters["rds.force_ssl"]) !== "0",
      onDeath: this.#onFault,
    });
    const resourceId = newResourceId();
    this.#instance = { id, arn: this.#arn(id), resourceId, dbname, server, createdAt: new Date() };
    return this.#created(this.#instance);
  }

  async #replicate(resource: Resource): Promise<Created> {
    const { DBInstanceIdentifier } = resource.properties as unknown as InstanceProperties;
    const id = DBInstanceIdentifier ?? resource.physicalName(63).toLowerCase();
    const replica = await startReplica(resource, this.#instance, { id, onDeath: this.#onFault });
    const made = { ...replica, resourceId: newResourceId() };
    this.#replicas = [...this.#replicas, made];
    return this.#created(made);
  }

  async #remove(id: string): Promise<void> {
    const replica = this.#replicas.find((each) => each.id === id);
    this.#replicas = this.#replicas.filter((each) => each !== replica);
    await (replica ?? this.#instance)?.server.stop();
    if (replica === undefined) this.#instance = undefined;
  }

  #created({ id, resourceId, server: { host, port } }: Omit<Instance, "arn" | "dbname">): Created {
    return {
      ref: id,
      attributes: {
        "Endpoint.Address": host,
        "Endpoint.Port": String(port),
        DBInstanceArn: this.#arn(id),
        DbiResourceId: resourceId,
      },
    };
  }

  #described() {
    const { id: source, dbname = "" } = this.#instance ?? {};
    const ids = this.#replicas.map(({ id }) => id);
    const about = (id: string) => ({ id, arn: this.#arn(id), dbname });
    return [
      ...(this.#instance === undefined
        ? []
        : [{ ...described(this.#instance, { replicas: ids }), ...this.#password.state }]),
      ...this.#replicas.map((each) => described({ ...about(each.id), ...each }, { source })),
    ];
  }

  #arn(id: string): string {
    return arnOf(this.#account, "rds", `db:${id}`);
  }

  async stop(): Promise<void> {
    await this.#password.stop();
    for (const { server } of this.#replicas) await server.stop();
    await this.#instance?.server.stop();
  }
}

const notFound = (id: string): AwsError =>
  new AwsError("DBInstanceNotFound", `DBInstance ${id} not found.`, { status: 404 });

const newResourceId = (): string => `db-${randomEnd(26).toUpperCase()}`;
