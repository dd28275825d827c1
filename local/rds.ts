import type { Access } from "./access.ts";
import { type Account, arnOf, randomEnd } from "./account.ts";
import { AwsError } from "./aws-error.ts";
import { type EmbeddedPostgres, startPostgres } from "./postgres.ts";
import { operation, queryService, type Service } from "./protocols.ts";
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

/** Amazon RDS: one PostgreSQL instance, which is the embedded server. */
export class Rds {
  readonly #account: Account;
  readonly #access: Access;
  readonly #parameters = new Map<string, Readonly<Record<string, string>>>();
  readonly #onFault: (line: string) => void;
  #instance: Instance | undefined;

  constructor(account: Account, access: Access, onFault: (line: string) => void) {
    this.#account = account;
    this.#access = access;
    this.#onFault = onFault;
  }

  readonly service: Service = queryService("rds", "http://rds.amazonaws.com/doc/2014-10-31/", {
    DescribeDBInstances: operation<{ DBInstanceIdentifier?: string }>(async (input, caller) => {
      const wanted = input.DBInstanceIdentifier;
      await this.#access.authorize(caller, {
        action: "rds:DescribeDBInstances",
        resource: wanted?.startsWith("arn:") ? wanted : this.#arn(wanted ?? "*"),
      });
      const found = [this.#instance].filter(
        (each) => wanted === undefined || each?.id === wanted || each?.arn === wanted,
      );
      if (wanted !== undefined && found.length === 0)
        throw new AwsError("DBInstanceNotFound", `DBInstance ${wanted} not found.`, {
          status: 404,
        });
      return { DBInstances: { DBInstance: found.flatMap((each) => each ?? []).map(described) } };
    }),
  });

  readonly resources: ResourceTypes = {
    "AWS::RDS::DBInstance": {
      changes: {},
      create: (resource) => this.#create(resource),
      remove: async () => {
        await this.stop();
        this.#instance = undefined;
      },
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
    const resourceId = `db-${randomEnd(26).toUpperCase()}`;
    this.#instance = { id, arn: this.#arn(id), resourceId, dbname, server, createdAt: new Date() };
    return {
      ref: id,
      attributes: {
        "Endpoint.Address": server.host,
        "Endpoint.Port": String(server.port),
        DBInstanceArn: this.#arn(id),
        DbiResourceId: resourceId,
      },
    };
  }

  #arn(id: string): string {
    return arnOf(this.#account, "rds", `db:${id}`);
  }

  async stop(): Promise<void> {
    await this.#instance?.server.stop();
  }
}

const described = ({ id, arn, resourceId, dbname, server, createdAt }: Instance) => ({
  DBInstanceIdentifier: id,
  DbiResourceId: resourceId,
  DBInstanceArn: arn,
  DBInstanceStatus: "available",
  Engine: "postgres",
  DBName: dbname,
  MasterUsername: server.masterUsername,
  InstanceCreateTime: createdAt,
  Endpoint: { Address: server.host, Port: server.port },
});
