/** The stack that is looked at. */
export interface StackUnderTest {
  readonly name: string;
  /** The stack of the database, if it has one of its own. */
  readonly databaseStack?: string;
  readonly issuerArn: string;
  readonly operatorArn: string;
  /** The consumer and the dynamic role of the leases that are made. */
  readonly consumer: string;
  readonly role: string;
  readonly aliasArn: string;
  /** The consumer's role. */
  readonly roleArn: string;
  /** The function that the sandbox has for this consumer. */
  readonly consumerFunction?: string;
  /** Only for a stack that this run deployed: it may be changed. */
  readonly deployed?: Deployed;
}

/** The log group of one of the database's functions: all have names like the issuer's. */
export function logGroupOf(
  { issuerArn }: StackUnderTest,
  name: "issuer" | "revoker" | "sweeper",
): string {
  const [, issuer = ""] = /:function:([^:]+)$/.exec(issuerArn) ?? [];
  return `/aws/lambda/${issuer.replace(/issuer$/, name)}`;
}

/** What is known of a stack that this run deployed. */
export interface Deployed {
  /** How long the deployment took. Unit: milliseconds. */
  readonly took: number;
  /** ARNs of secrets whose rotation may be asked for. */
  readonly userSecretArn: string;
  readonly masterSecretArn: string;
  /** Deploy a changed configuration: the issuer gets another version. */
  readonly redeploy: () => Promise<void>;
}
