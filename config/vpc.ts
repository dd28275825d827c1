import { list, object, ruled, says, text } from "./schema/fields.ts";

const id = (prefix: string) =>
  text(
    new RegExp(`^${prefix}-[0-9a-f]{8,17}$`),
    "is not an id",
    `write an id such as "${prefix}-0123456789abcdef0"`,
  );

const several = (pattern: RegExp, example: string) =>
  list(
    `list them, e.g. ["${example}"]`,
    text(pattern, "is not one", `write it as in "${example}"`),
  );

interface VpcFields {
  readonly availabilityZones: readonly string[];
  readonly privateSubnetIds: readonly string[];
}

/** A VPC that exists, named whole so that synthesis asks AWS nothing. */
export const vpcSchema = ruled(
  object(
    {
      vpcId: id("vpc"),
      availabilityZones: several(/^[a-z]{2}-[a-z0-9-]+[a-z]$/, "eu-west-1a"),
      /** One or more per zone, in the order of the zones. */
      privateSubnetIds: several(/^subnet-[0-9a-f]{8,17}$/, "subnet-0123abcd"),
      /** The database's security group, in which the functions are let in. */
      securityGroupId: id("sg"),
    },
    "give vpcId, availabilityZones, privateSubnetIds, securityGroupId",
  ),
  ({ availabilityZones: zones, privateSubnetIds: subnets }: VpcFields, report, isFine) => {
    if (!isFine("availabilityZones") || !isFine("privateSubnetIds")) return;
    if (subnets.length % zones.length !== 0)
      report(
        ["privateSubnetIds"],
        says(
          `does not divide among ${zones.length} zones`,
          "list as many subnets for each zone, in the order of the zones",
        ),
      );
  },
);
