/** Condition operators, keys and values, as in a policy. */
export type Conditions = Readonly<
  Record<string, Readonly<Record<string, string | readonly string[]>>>
>;

/** A statement of a role's trust policy, as IAM's JSON has it. */
export interface TrustStatement {
  readonly Effect: "Allow";
  readonly Principal: { readonly Service: string } | { readonly Federated: string };
  readonly Action: string | readonly string[];
  readonly Condition?: Conditions;
}

/** Where a role is. Constructs pass tokens for what only CloudFormation knows. */
export interface RolePlace {
  readonly partition: string;
  readonly account: string;
  readonly region: string;
}

/** Characters of a trust policy that IAM allows, spaces not counted. A quota: AWS may raise it. */
export const LONGEST_TRUST = 2_048;

/** One value as it is, several as a list. */
export const oneOrMore = (values: readonly string[]): string | readonly string[] =>
  values.length === 1 ? (values[0] ?? "") : values;
