import { type ISecret, Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";
import type { MayflyFunction } from "../functions/mayfly-function.ts";
import { arnOf } from "./secret-access.ts";

/** A secret with a generated value, which the provisioner replaces by logins. */
const makeLoginSecret = (scope: Construct, id: string, description: string): Secret =>
  new Secret(scope, id, {
    description,
    generateSecretString: {
      secretStringTemplate: JSON.stringify({ engine: "postgres" }),
      generateStringKey: "password",
      excludePunctuation: true,
      passwordLength: 32,
    },
  });

/** Allow a function to read secrets, and to decrypt those with their own keys. */
export function allowRead(reader: MayflyFunction, secrets: readonly ISecret[]): void {
  reader.allow("ReadSecrets", ["secretsmanager:GetSecretValue"], secrets.map(arnOf));
  for (const secret of secrets) secret.encryptionKey?.grantDecrypt(reader.lambda);
}

/** The three secrets of one database. */
export class LeaseSecrets extends Construct {
  /** Login A as AWSCURRENT, login B as AWSPREVIOUS. */
  readonly issuer: Secret;
  readonly janitor: Secret;
  /** The key from which the passwords of replayable leases are derived. */
  readonly pepper: Secret;

  constructor(scope: Construct, id: string, database: string) {
    super(scope, id);
    this.issuer = makeLoginSecret(this, "Issuer", `Mayfly's issuer login of ${database}`);
    this.janitor = makeLoginSecret(this, "Janitor", `Mayfly's janitor login of ${database}`);
    this.pepper = new Secret(this, "Pepper", {
      description: `Mayfly's pepper of ${database}`,
      generateSecretString: {
        secretStringTemplate: "{}",
        generateStringKey: "pepper",
        excludePunctuation: true,
        passwordLength: 64,
      },
    });
  }

  /** Allow the provisioner to write the logins that it creates. */
  allowProvision(provisioner: MayflyFunction, admin: ISecret): void {
    allowRead(provisioner, [admin, this.issuer, this.janitor]);
    const logins = [this.issuer, this.janitor].map(arnOf);
    provisioner.allow("WriteLogins", ["secretsmanager:PutSecretValue"], logins);
  }
}
