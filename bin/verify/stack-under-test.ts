/** The stack to check. */
export interface StackUnderTest {
  readonly name: string;
  /** The stack of the database, if it has one of its own. */
  readonly databaseStack?: string;
  readonly issuerArn: string;
  readonly operatorArn: string;
  /** The consumer and the dynamic role of the leases. */
  readonly consumer: string;
  readonly role: string;
  readonly aliasArn: string;
  /** The consumer's role. */
  readonly roleArn: string;
  /** The consumer's function in the sandbox. */
  readonly consumerFunction?: string;
  /** Set if this run deployed the stack. Only then the checks may change it. */
  readonly deployed?: Deployed;
}

/** The log group of a function of the database. The functions' names begin like the issuer's. */
export function logGroupOf(
  { issuerArn }: StackUnderTest,
  name: "issuer" | "revoker" | "sweeper",
): string {
  const [, issuer = ""] = /:function:([^:]+)$/.exec(issuerArn) ?? [];
  return `/aws/lambda/${issuer.replace(/issuer$/, name)}`;
}

/** A stack that this run deployed. */
export interface Deployed {
  /** Length of the deployment. Unit: milliseconds. */
  readonly took: number;
  /** ARNs of secrets that may be rotated. */
  readonly userSecretArn: string;
  readonly masterSecretArn: string;
  /** Deploy a changed configuration. The issuer gets another version. */
  readonly redeploy: () => Promise<void>;
}
