import type { Access } from "./access.ts";
import { type Account, arnOf, randomEnd } from "./account.ts";
import { AwsError } from "./aws-error.ts";
import { type EmbeddedPostgres, startPostgres } from "./postgres.ts";
import { operation, queryService, type Service } from "./protocols.ts";
import { isReplica, type Replica, startReplica } from "./rds-replica.ts";
import type { Created, Resource, ResourceTypes } from "./resource.ts";

interface Instance {
  readonly id: string;
  readonly arn: string;
  readonly resourceId: string;
  readonly dbname: string;
  readonly server: EmbeddedPostgres;
  readonly createdAt: Date;
}

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

interface DescribeInstances {
  readonly DBInstanceIdentifier?: string;
  /** As the awsQuery protocol sends `Filters`, of which one may be given. */
  readonly [filter: `Filters.Filter.${string}`]: string;
}

/** Amazon RDS: one PostgreSQL instance, which is the embedded server, and its read replicas. */
export class Rds {
  readonly #account: Account;
  readonly #access: Access;
  readonly #parameters = new Map<string, Readonly<Record<string, string>>>();
  readonly #onFault: (line: string) => void;
  #replicas: readonly (Replica & { readonly resourceId: string })[] = [];
  #instance: Instance | undefined;

  constructor(account: Account, access: Access, onFault: (line: string) => void) {
    this.#account = account;
    this.#access = access;
    this.#onFault = onFault;
  }

  readonly service: Service = queryService("rds", "http://rds.amazonaws.com/doc/2014-10-31/", {
    DescribeDBClusters: operation<{ DBClusterIdentifier?: string }>(async (input, caller) => {
      const wanted = input.DBClusterIdentifier;
      await this.#access.authorize(caller, {
        action: "rds:DescribeDBClusters",
        resource: arnOf(this.#account, "rds", `cluster:${wanted ?? "*"}`),
      });
      if (wanted === undefined) return { DBClusters: {} };
      throw new AwsError("DBClusterNotFoundFault", `DBCluster ${wanted} not found.`, {
        status: 404,
      });
    }),
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
      if (wanted !== undefined && found.length === 0)
        throw new AwsError("DBInstanceNotFound", `DBInstance ${wanted} not found.`, {
          status: 404,
        });
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
      ...(this.#instance === undefined ? [] : [described(this.#instance, { replicas: ids })]),
      ...this.#replicas.map((each) => described({ ...about(each.id), ...each }, { source })),
    ];
  }

  #arn(id: string): string {
    return arnOf(this.#account, "rds", `db:${id}`);
  }

  async stop(): Promise<void> {
    for (const { server } of this.#replicas) await server.stop();
    await this.#instance?.server.stop();
  }
}

/** The names in a filter by identifier; `undefined` without one. */
function filterOf(input: DescribeInstances): readonly string[] | undefined {
  const fields = Object.entries(input).filter(([key]) => key.startsWith("Filters."));
  if (fields.length === 0) return undefined;
  const name = input["Filters.Filter.1.Name"];
  if (name !== "db-instance-id" || input["Filters.Filter.2.Name"] !== undefined)
    throw new Error(`the local runner filters DB instances by db-instance-id; got "${name}"`);
  return fields.filter(([key]) => key.includes(".Values.")).map(([, value]) => value);
}

interface Relations {
  readonly replicas?: readonly string[];
  readonly source?: string | undefined;
}

const newResourceId = (): string => `db-${randomEnd(26).toUpperCase()}`;

const described = (
  { id, arn, resourceId, dbname, server, createdAt }: Instance,
  { replicas = [], source }: Relations,
) => ({
  DBInstanceIdentifier: id,
  DbiResourceId: resourceId,
  DBInstanceArn: arn,
  DBInstanceStatus: "available",
  Engine: "postgres",
  DBName: dbname,
  MasterUsername: server.masterUsername,
  InstanceCreateTime: createdAt,
  Endpoint: { Address: server.host, Port: server.port },
  ReadReplicaDBInstanceIdentifiers: { ReadReplicaDBInstanceIdentifier: replicas },
  ReadReplicaSourceDBInstanceIdentifier: source,
});
