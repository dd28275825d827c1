/** The custom resource that a tag belongs to. */
export interface Stack {
  /** CloudFormation's `StackId`: never used twice, not even for the same name. */
  readonly id: string;
  /** `LogicalResourceId`. A construct that moves gets a new one, and the old one is then deleted. */
  readonly resource: string;
}

/** The id in the stamp of a tag that a DBA has released. */
export const NO_STACK = "";

/** `arn:aws:cloudformation:eu-west-1:111122223333:stack/name/` and a part that is never used twice. */
const STACK_ID = /^(arn:[\w-]+:cloudformation:[\w-]+:\d{12}:stack\/[A-Za-z][A-Za-z0-9-]*\/)[\w-]+$/;

/**
 * Whether one stack may take over the tag of another. In an account and a Region, CloudFormation
 * allows only one stack of a name at a time: if the name, account and Region are the same, the
 * former stack was deleted.
 */
export function hasOutlived(id: string, former: string): boolean {
  if (former === NO_STACK) return true;
  const [, name] = STACK_ID.exec(id) ?? [];
  const [, formerName] = STACK_ID.exec(former) ?? [];
  return name !== undefined && name === formerName;
}
