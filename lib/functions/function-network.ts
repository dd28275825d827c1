import {
  type IConnectable,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  type SubnetSelection,
} from "aws-cdk-lib/aws-ec2";
import type { Construct } from "constructs";

/** The subnets of functions, and their security group. */
export interface FunctionNetwork {
  readonly vpc: IVpc;
  readonly vpcSubnets: SubnetSelection | undefined;
  readonly securityGroup: SecurityGroup;
}

/** Properties of the network from which functions reach one database and AWS. */
export interface FunctionNetworkProps {
  readonly vpc: IVpc;
  /** @default - the VPC's private subnets */
  readonly vpcSubnets?: SubnetSelection;
  /** The security groups that must let the functions in. */
  readonly databaseConnections: IConnectable;
  /** The database's port; may be a token. */
  readonly port: number;
  /**
   * The functions' name in the descriptions of the security group and its rules.
   * @default "Mayfly functions"
   */
  readonly whose?: string;
  /**
   * Other PostgreSQL servers that the functions reach.
   * @default - none
   */
  readonly others?: readonly { readonly connections: IConnectable; readonly port: number }[];
}

/** A security group that allows connections to the database and to HTTPS only. */
export function makeFunctionNetwork(
  scope: Construct,
  id: string,
  props: FunctionNetworkProps,
): FunctionNetwork {
  const { whose = "Mayfly functions" } = props;
  const securityGroup = new SecurityGroup(scope, id, {
    vpc: props.vpc,
    description: whose,
    allowAllOutbound: false,
  });
  securityGroup.addEgressRule(Peer.anyIpv4(), Port.tcp(443), "AWS APIs");
  const writer = { connections: props.databaseConnections, port: props.port };
  for (const { connections, port } of [writer, ...(props.others ?? [])])
    securityGroup.connections.allowTo(connections, Port.tcp(port), `${whose} to PostgreSQL`);
  return { vpc: props.vpc, vpcSubnets: props.vpcSubnets, securityGroup };
}
