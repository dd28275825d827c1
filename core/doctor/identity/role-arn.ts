import { parseRoleArn } from "../../aws/iam-role.ts";

const ASSUMED = /^arn:aws[a-z-]*:sts::(\d{12}):assumed-role\/([\w+=,.@-]+)\/(.+)$/;

/** What makes a role the same one for AWS: sessions do not tell its path. */
export interface RoleIdentity {
  readonly account: string;
  readonly name: string;
  /** Of a session. */
  readonly session?: string;
}

/** The role of a role's ARN, or of a session's. Undefined for users, roots and what is no ARN. */
export function roleIn(arn: string): RoleIdentity | undefined {
  const role = parseRoleArn(arn);
  if (role !== undefined) return { account: role.account, name: role.name };
  const [, account, name, session] = ASSUMED.exec(arn) ?? [];
  if (account === undefined || name === undefined || session === undefined) return undefined;
  return { account, name, session };
}

export const isRoleArn = (arn: string): boolean => parseRoleArn(arn) !== undefined;

/** Whether both are the same role, or sessions of it. */
export function isSameRole(one: string, other: string): boolean {
  const [a, b] = [roleIn(one), roleIn(other)];
  return a !== undefined && b !== undefined && a.account === b.account && a.name === b.name;
}

/** EC2 names the session of an instance's role by the instance. */
export const isInstanceSession = (arn: string): boolean =>
  /^i-[0-9a-f]{8,17}$/.test(roleIn(arn)?.session ?? "");

/** The role's own name, for commands; the ARN if it is none. */
export const roleNameIn = (arn: string): string => roleIn(arn)?.name ?? arn;
