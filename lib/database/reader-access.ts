import { ArnFormat, Stack, Token, Tokenization } from "aws-cdk-lib";
import type { IConnectable } from "aws-cdk-lib/aws-ec2";
import type { MayflyFunction } from "../functions/mayfly-function.ts";
import type { DatabaseReader, DynamicDatabaseProps } from "./dynamic-database-props.ts";

type ReaderProps = Pick<
  DynamicDatabaseProps,
  "readers" | "readerConnections" | "clusterIdentifier" | "instanceIdentifier"
>;

/** A port as text. The port may be a token. */
export const portText = (port: number): string =>
  Token.isUnresolved(port) ? Tokenization.stringifyNumber(port) : String(port);

/** How revoking functions find a database's readers, and the access that they need to them. */
export class ReaderAccess {
  /** Variables for the functions' environment. */
  readonly address: Readonly<Record<string, string>>;
  /** Other security groups that must let the functions in, with their ports. */
  readonly peers: readonly { readonly connections: IConnectable; readonly port: number }[];
  readonly #cluster: string | undefined;
  readonly #instance: string | undefined;

  /**
   * @param writer the readers have its security group, unless they have their own.
   * @throws Error if both a cluster and an instance are named.
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

  /** Let a function list the readers through RDS, if a cluster or an instance is named. */
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
    // the instances' names are not known here, and IAM has no condition on their tag or cluster
    if (this.#cluster !== undefined || this.#instance !== undefined)
      lister.allow("DescribeReaders", ["rds:DescribeDBInstances"], [arn("*")]);
  }
}

const listOf = (readers: readonly DatabaseReader[], writersPort: number): string =>
  readers.map(({ host, port = writersPort }) => `${host}:${portText(port)}`).join(",");
