import type { Resource } from "../cloudformation/resource.ts";
import type { EmbeddedPostgres } from "../postgres/postgres.ts";
import { startStandby } from "../postgres/postgres-standby.ts";

/** A read replica: a streaming standby of another instance's server. */
export interface Replica {
  readonly id: string;
  /** The source instance. Undefined for a cluster's reader. */
  readonly sourceId: string | undefined;
  readonly server: EmbeddedPostgres;
  readonly createdAt: Date;
  /** Somebody else started it, and stops it. */
  readonly isAdopted?: boolean;
}

interface ReplicaProperties {
  readonly SourceDBInstanceIdentifier?: string;
}

/** Whether a resource is an `AWS::RDS::DBInstance` that replicates another instance. */
export const isReplica = (properties: unknown): boolean =>
  (properties as ReplicaProperties | undefined)?.SourceDBInstanceIdentifier !== undefined;

interface Source {
  readonly id: string;
  readonly arn: string;
  readonly server: EmbeddedPostgres;
}

/** Start a read replica of one of `sources`. @throws Error if the template names another source. */
export async function startReplica(
  { properties, logicalId }: Resource,
  sources: readonly Source[],
  { id, onDeath }: { readonly id: string; readonly onDeath: (line: string) => void },
): Promise<Replica> {
  const { SourceDBInstanceIdentifier: wanted } = properties as ReplicaProperties;
  const source = sources.find((each) => each.id === wanted || each.arn === wanted);
  if (source === undefined)
    throw new Error(
      `${logicalId}: the local runner replicates the stack's own DBInstance; got "${wanted}"`,
    );
  const server = await startStandby(source.server, { onDeath });
  return { id, sourceId: source.id, server, createdAt: new Date() };
}
