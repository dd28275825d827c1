import type { Resource } from "../cloudformation/resource.ts";
import type { EmbeddedPostgres } from "../postgres/postgres.ts";
import { startStandby } from "../postgres/postgres-standby.ts";

/** A read replica: a streaming standby of the one server. */
export interface Replica {
  readonly id: string;
  readonly server: EmbeddedPostgres;
  readonly createdAt: Date;
}

interface ReplicaProperties {
  readonly SourceDBInstanceIdentifier?: string;
}

/** Whether a resource is an `AWS::RDS::DBInstance` that replicates another. */
export const isReplica = (properties: unknown): boolean =>
  (properties as ReplicaProperties | undefined)?.SourceDBInstanceIdentifier !== undefined;

/** Start a read replica of `source`. @throws Error when the template names another. */
export async function startReplica(
  { properties, logicalId }: Resource,
  source:
    | { readonly id: string; readonly arn: string; readonly server: EmbeddedPostgres }
    | undefined,
  { id, onDeath }: { readonly id: string; readonly onDeath: (line: string) => void },
): Promise<Replica> {
  const { SourceDBInstanceIdentifier: wanted } = properties as ReplicaProperties;
  if (source === undefined || (wanted !== source.id && wanted !== source.arn))
    throw new Error(
      `${logicalId}: the local runner replicates the stack's own DBInstance; got "${wanted}"`,
    );
  return { id, server: await startStandby(source.server, { onDeath }), createdAt: new Date() };
}
