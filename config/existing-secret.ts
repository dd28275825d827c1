/** Names of secrets that RDS made, and rotates itself. */
export const isManagedByRds = (nameOrArn: string): boolean => /(?:^|:secret:)rds!/.test(nameOrArn);

/** An ARN of a secret with the six characters at its end, which alone make it one secret's. */
export const COMPLETE_ARN = /^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:\S+-[A-Za-z0-9]{6}$/;
