import { type Account, arnOf, randomEnd } from "../account.ts";
import type { Created, Resource, ResourceTypes } from "../cloudformation/resource.ts";
import { AwsError, notImplemented } from "../http/aws-error.ts";
import { operation, queryService, type Service } from "../http/protocols.ts";
import type { Access } from "../iam/access.ts";
import type { Session } from "../iam/identity.ts";
import { type EmbeddedPostgres, startPostgres } from "../postgres/postgres.ts";
import {
  type Cluster,
  type DescribeInstances,
  described,
  describedCluster,
  filterOf,
  type Instance,
} from "./rds-description.ts";
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
  /** Ignored: RDS changes a password as soon as possible in either case. */
  readonly ApplyImmediately?: string;
}

/** A server that existed before the stack, as RDS would know it. */
export interface AdoptedServer {
  readonly server: EmbeddedPostgres;
  readonly dbname: string;
  /** Its identifier as a DB instance, if RDS has it as an instance. */
  readonly instance?: string | undefined;
  /** Its identifier as a DB cluster, if RDS has it as a cluster. */
  readonly cluster?: { readonly id: string; readonly readers: readonly EmbeddedPostgres[] };
}

/** Amazon RDS: PostgreSQL instances, each an embedded server, and their read replicas. */
export class Rds {
  readonly #account: Account;
  readonly #access: Access;
  readonly #parameters = new Map<string, Readonly<Record<string, string>>>();
  readonly #onFault: (line: string) => void;
  #replicas: readonly (Replica & { readonly resourceId: string })[] = [];
  #instances: readonly Instance[] = [];
  #clusters: readonly Cluster[] = [];

  constructor(account: Account, access: Access, onFault: (line: string) => void) {
    this.#account = account;
    this.#access = access;
    this.#onFault = onFault;
  }

  readonly service: Service = queryService("rds", "http://rds.amazonaws.com/doc/2014-10-31/", {
    DescribeDBClusters: operation<{ DBClusterIdentifier?: string }>(async (input, caller) => {
      const found = await this.#clustersFor(caller, "DescribeDBClusters", input);
      return { DBClusters: { DBCluster: found.map(describedCluster) } };
    }),
    ModifyDBCluster: operation<{ DBClusterIdentifier: string }>(async (input, caller) => {
      await this.#clustersFor(caller, "ModifyDBCluster", input);
      throw notImplemented("rds", "ModifyDBCluster");
    }),
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

  /** The servers of the template's instances, in the order of their creation. */
  get ownServers(): readonly EmbeddedPostgres[] {
    return this.#instances.flatMap(({ server, isAdopted }) => (isAdopted ? [] : [server]));
  }

  /** Add a server that somebody else starts and stops. */
  adopt({ server, dbname, instance, cluster }: AdoptedServer): void {
    const about = { dbname, createdAt: new Date() };
    const known = (id: string): Instance => ({
      ...about,
      ...this.#named(id),
      server,
      isAdopted: true,
      password: new MasterPassword(this.#onFault),
    });
    if (instance !== undefined) this.#instances = [...this.#instances, known(instance)];
    if (cluster === undefined) return;
    const writerId = `${cluster.id}-1`;
    this.#instances = [...this.#instances, known(writerId)];
    const readers = cluster.readers.map((reader, at) => ({
      ...about,
      ...this.#named(`${cluster.id}-${at + 2}`),
      sourceId: undefined,
      server: reader,
      isAdopted: true,
    }));
    this.#replicas = [...this.#replicas, ...readers];
    const arn = arnOf(this.#account, "rds", `cluster:${cluster.id}`);
    const readerIds = readers.map(({ id }) => id);
    this.#clusters = [...this.#clusters, { id: cluster.id, arn, writerId, readerIds }];
  }

  #named = (id: string) => ({ id, arn: this.#arn(id), resourceId: newResourceId() });

  /** The keys that Secrets Manager adds to a secret that is attached to an instance. */
  facts(id: string): Record<string, unknown> {
    const instance = this.#instances.find((each) => each.id === id);
    if (instance === undefined) throw new Error(`no DBInstance ${id} to attach a secret to`);
    const { dbname, server } = instance;
    const { host, port } = server;
    return { engine: "postgres", host, port, dbname, dbInstanceIdentifier: id };
  }

  /** @throws AwsError if no cluster has the name. */
  async #clustersFor(
    caller: Session,
    what: string,
    { DBClusterIdentifier: wanted }: { readonly DBClusterIdentifier?: string },
  ): Promise<readonly Cluster[]> {
    await this.#access.authorize(caller, {
      action: `rds:${what}`,
      resource: arnOf(this.#account, "rds", `cluster:${wanted ?? "*"}`),
    });
    const found = this.#clusters.filter(({ id }) => wanted === undefined || id === wanted);
    if (wanted === undefined || found.length > 0) return found;
    throw new AwsError("DBClusterNotFoundFault", `DBCluster ${wanted} not found.`, { status: 404 });
  }

  /** Change the password. The answer still says `available`, with the pending change. */
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
    const shown = this.#described().find(
      ({ DBInstanceIdentifier: id, DBInstanceArn: arn }) => id === wanted || arn === wanted,
    );
    if (shown === undefined) throw notFound(wanted);
    const [other] = Object.keys(rest);
    if (other !== undefined) throw notImplemented("rds", `ModifyDBInstance with ${other}`);
    if (MasterUserPassword === undefined) return { DBInstance: shown };
    const instance = this.#instances.find(({ id }) => id === shown.DBInstanceIdentifier);
    if (instance === undefined)
      throw new AwsError(
        "InvalidParameterCombination",
        "The master password of a read replica is that of its source.",
      );
    assertPassword(MasterUserPassword);
    instance.password.set(instance.server, MasterUserPassword);
    const PendingModifiedValues = { MasterUserPassword: "****" };
    return { DBInstance: { ...shown, PendingModifiedValues } };
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
      // from PostgreSQL 15 on, RDS requires TLS unless a parameter group changes that
      forceTls: String(parameters["rds.force_ssl"]) !== "0",
      onDeath: this.#onFault,
    });
    const password = new MasterPassword(this.#onFault);
    const made = { ...this.#named(id), dbname, server, createdAt: new Date(), password };
    this.#instances = [...this.#instances, made];
    return this.#created(made);
  }

  async #replicate(resource: Resource): Promise<Created> {
    const { DBInstanceIdentifier } = resource.properties as unknown as InstanceProperties;
    const id = DBInstanceIdentifier ?? resource.physicalName(63).toLowerCase();
    const replica = await startReplica(resource, this.#instances, { id, onDeath: this.#onFault });
    const made = { ...replica, resourceId: newResourceId() };
    this.#replicas = [...this.#replicas, made];
    return this.#created(made);
  }

  async #remove(wanted: string): Promise<void> {
    const gone = [...this.#replicas, ...this.#instances].find(({ id }) => id === wanted);
    this.#replicas = this.#replicas.filter((each) => each !== gone);
    this.#instances = this.#instances.filter((each) => each !== gone);
    await gone?.server.stop();
  }

  #created({
    id,
    resourceId,
    server: { host, port },
  }: Omit<Instance, "arn" | "dbname" | "password">): Created {
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
    return [
      ...this.#instances.map((instance) => {
        const replicas = this.#replicas.filter(({ sourceId }) => sourceId === instance.id);
        const ids = replicas.map(({ id }) => id);
        return { ...described(instance, { replicas: ids }), ...instance.password.state };
      }),
      ...this.#replicas.map((replica) => {
        const { id, sourceId: source } = replica;
        const { dbname = "" } = this.#instances.find((each) => each.id === source) ?? {};
        return described({ dbname, arn: this.#arn(id), ...replica }, { source });
      }),
    ];
  }

  #arn(id: string): string {
    return arnOf(this.#account, "rds", `db:${id}`);
  }

  async stop(): Promise<void> {
    for (const { password } of this.#instances) await password.stop();
    const own = [...this.#replicas, ...this.#instances].filter(({ isAdopted }) => !isAdopted);
    for (const { server } of own) await server.stop();
  }
}

const notFound = (id: string): AwsError =>
  new AwsError("DBInstanceNotFound", `DBInstance ${id} not found.`, { status: 404 });

const newResourceId = (): string => `db-${randomEnd(26).toUpperCase()}`;
