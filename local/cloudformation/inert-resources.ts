import { type Account, arnOf } from "../account.ts";
import type { Json } from "./assembly.ts";
import type { Created, Resource, ResourceTypes } from "./resource.ts";

/** Attributes of a resource without effect, from its properties and its `Ref`. */
type Attributes = (
  properties: Json,
  ref: string,
  account: Account,
) => Readonly<Record<string, unknown>>;

const none: Attributes = () => ({});

/** Types without effect on one machine: the runner has no network, no log store and no alarms. */
const INERT: Readonly<Record<string, readonly [prefix: string, attributes: Attributes]>> = {
  "AWS::CDK::Metadata": ["metadata", none],
  "AWS::CloudWatch::Alarm": [
    "alarm",
    (_, ref, account) => ({ Arn: arnOf(account, "cloudwatch", `alarm:${ref}`) }),
  ],
  "AWS::CloudWatch::Dashboard": ["dashboard", none],
  "AWS::EC2::RouteTable": ["rtb", (_, ref) => ({ RouteTableId: ref })],
  "AWS::EC2::SecurityGroup": ["sg", ({ VpcId }, ref) => ({ GroupId: ref, VpcId })],
  "AWS::EC2::SecurityGroupEgress": ["sgr", none],
  "AWS::EC2::SecurityGroupIngress": ["sgr", none],
  "AWS::EC2::Subnet": [
    "subnet",
    ({ AvailabilityZone, CidrBlock, VpcId }, ref) => ({
      SubnetId: ref,
      AvailabilityZone,
      CidrBlock,
      VpcId,
    }),
  ],
  "AWS::EC2::SubnetRouteTableAssociation": ["rtbassoc", none],
  "AWS::EC2::VPC": [
    "vpc",
    ({ CidrBlock }, ref) => ({
      VpcId: ref,
      CidrBlock,
      CidrBlockAssociations: [`assoc-${ref}`],
      DefaultSecurityGroup: `sg-default-${ref}`,
    }),
  ],
  "AWS::EC2::VPCEndpoint": ["vpce", () => ({ DnsEntries: [], NetworkInterfaceIds: [] })],
  "AWS::Logs::LogGroup": [
    "log-group",
    (_, ref, account) => ({ Arn: `${arnOf(account, "logs", `log-group:${ref}`)}:*` }),
  ],
  "AWS::Logs::QueryDefinition": ["query", (_, ref) => ({ QueryDefinitionId: ref })],
  "AWS::RDS::DBSubnetGroup": ["db-subnet-group", none],
  "AWS::RolesAnywhere::Profile": [
    "profile",
    (_, ref, account) => ({
      ProfileId: ref,
      ProfileArn: arnOf(account, "rolesanywhere", `profile/${ref}`),
    }),
  ],
};

/** Resources that get a name and attributes, and have no other effect. */
export const inertResources = (account: Account): ResourceTypes =>
  Object.fromEntries(
    Object.entries(INERT).map(([type, [prefix, attributes]]) => {
      const make = ({ logicalId, properties }: Resource): Created => {
        const { LogGroupName } = properties as { LogGroupName?: string };
        const ref = LogGroupName ?? `${prefix}-${logicalId.toLowerCase()}`;
        return { ref, attributes: attributes(properties, ref, account) };
      };
      return [type, { changes: { "*": "update" }, create: make, update: make, remove: () => {} }];
    }),
  );
