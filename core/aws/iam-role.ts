/** The parts of a role's ARN. */
export interface RoleArn {
  readonly partition: string;
  /** 12 digits. */
  readonly account: string;
  /** `/`, or e.g. `/team/orders/`. */
  readonly path: string;
  readonly name: string;
}

/** A path of at most 512 characters, of segments that are not empty, and a name of at most 64. */
const ROLE_ARN =
  /^arn:(?<partition>aws(?:-[a-z]+)*):iam::(?<account>\d{12}):role(?<path>\/(?!.{511,}\/)(?:[\w+=,.@-]+\/)*)(?<name>[\w+=,.@-]{1,64})$/;

/** The parts of a role's ARN. Undefined if the text is none. */
export function parseRoleArn(text: string): RoleArn | undefined {
  const groups = ROLE_ARN.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const { partition = "", account = "", path = "", name = "" } = groups;
  return { partition, account, path, name };
}

/** Roles that AWS keeps for itself: IAM refuses every change of them. */
export type ReservedRole = "service-linked" | "identity-center";

/** Whose a role is, if IAM lets nobody attach a policy to it. Undefined for ordinary roles. */
export function reservedRole({ path }: Pick<RoleArn, "path">): ReservedRole | undefined {
  if (path.startsWith("/aws-service-role/")) return "service-linked";
  return path.startsWith("/aws-reserved/") ? "identity-center" : undefined;
}

/**
 * Patterns of the ARN that Identity Center gives to the role of a permission set in one account, for
 * `ArnLike` and `ArnNotLike`. The name ends with 16 characters that change whenever the permission
 * set is assigned anew; the path holds Identity Center's Region, except us-east-1 (IAM Identity
 * Center User Guide, "Referencing permission sets in resource policies"). No name of another
 * permission set matches: a role's name holds no slash, and the number of characters is exact.
 */
export const permissionSetRoles = (
  { partition, account }: Pick<RoleArn, "partition" | "account">,
  permissionSet: string,
): readonly [string, string] => {
  const path = `arn:${partition}:iam::${account}:role/aws-reserved/sso.amazonaws.com`;
  const name = `AWSReservedSSO_${permissionSet}_${"?".repeat(16)}`;
  return [`${path}/${name}`, `${path}/*/${name}`];
};
