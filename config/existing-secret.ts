/** Names of secrets that RDS creates and rotates itself. */
export const isManagedByRds = (nameOrArn: string): boolean => /(?:^|:secret:)rds!/.test(nameOrArn);

/** A complete ARN of a secret: only the six characters at its end make it unique. */
export const COMPLETE_ARN = /^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:\S+-[A-Za-z0-9]{6}$/;
