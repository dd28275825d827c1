import { ArnFormat, Stack, Token, Tokenization } from "aws-cdk-lib";
import type { IConnectable } from "aws-cdk-lib/aws-ec2";
import type { MayflyFunction } from "../functions/mayfly-function.ts";
import type { DatabaseReader, DynamicDatabaseProps } from "./dynamic-database-props.ts";

type ReaderProps = Pick<
  DynamicDatabaseProps,
  "readers" | "readerConnections" | "clusterIdentifier" | "instanceIdentifier"
>;

/** A port as text, also one that CloudFormation knows later. */
export const portText = (port: number): string =>
  Token.isUnresolved(port) ? Tokenization.stringifyNumber(port) : String(port);

/** How the functions that revoke leases find a database's readers, and may look at them. */
export class ReaderAccess {
  /** For their environment. */
  readonly address: Readonly<Record<string, string>>;
  /** Who else must let the functions in, and where. */
  readonly peers: readonly { readonly connections: IConnectable; readonly port: number }[];
  readonly #cluster: string | undefined;
  readonly #instance: string | undefined;

  /**
   * @param writer whose security group the readers have, unless they have their own.
   * @throws Error when a cluster and an instance are named.
   */
  constructor(
    props: ReaderProps,
    writer: { readonly connections: IConnectable; readonly port: number },
  ) {
    const { readers = [], readerConnections = [], clusterIdentifier, instanceIdentifier } = props;
    if (clusterIdentifier !== undefined && instanceIdentifier !== undefined)
      throw new Error(
        `clusterIdentifier "${clusterIdentifier}" does not go with instanceIdentifier "${instanceIdentifier}"; give the one that the writer is`,
      );
    this.#cluster = clusterIdentifier;
    this.#instance = instanceIdentifier;
    this.address = {
      ...(readers.length > 0 && { DB_READERS: listOf(readers, writer.port) }),
      ...(clusterIdentifier !== undefined && { DB_CLUSTER: clusterIdentifier }),
      ...(instanceIdentifier !== undefined && { DB_INSTANCE: instanceIdentifier }),
    };
    const ports = new Map(
      [...readers.map(({ port = writer.port }) => port), writer.port].map((port) => [
        portText(port),
        port,
      ]),
    );
    const own = readerConnections.length > 0;
    this.peers = [...ports.values()]
      .filter((port) => own || port !== writer.port)
      .flatMap((port) =>
        (own ? readerConnections : [writer.connections]).map((connections) => ({
          connections,
          port,
        })),
      );
  }

  /** Let a function ask RDS which readers there are, if RDS is to be asked. */
  allowList(lister: MayflyFunction): void {
    const arn = (resourceName: string, resource = "db"): string =>
      Stack.of(lister).formatArn({
        service: "rds",
        resource,
        resourceName,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      });
    if (this.#cluster !== undefined)
      lister.allow("FindReaders", ["rds:DescribeDBClusters"], [arn(this.#cluster, "cluster")]);
    // whose names are not known before, and IAM knows no tag or cluster of an instance here
    if (this.#cluster !== undefined || this.#instance !== undefined)
      lister.allow("DescribeReaders", ["rds:DescribeDBInstances"], [arn("*")]);
  }
}

const listOf = (readers: readonly DatabaseReader[], writersPort: number): string =>
  readers.map(({ host, port = writersPort }) => `${host}:${portText(port)}`).join(",");
