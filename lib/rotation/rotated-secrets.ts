import { Stack } from "aws-cdk-lib";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import { arnOf, grantKey } from "../database/secret-access.ts";
import { ENVIRONMENT_LIMIT, environmentSize } from "../functions/environment-size.ts";
import type { MayflyFunction } from "../functions/mayfly-function.ts";

/** Every rotated secret of one database by name, including Mayfly's own. */
export class RotatedSecrets {
  readonly #scope: Construct;
  readonly #database: string;
  readonly #secrets = new Map<string, ISecret>();

  constructor(scope: Construct, database: string) {
    this.#scope = scope;
    this.#database = database;
  }

  add(name: string, secret: ISecret): void {
    this.#secrets.set(name, secret);
  }

  /** Allow a function to read the age of each secret. Call it after all secrets are added. */
  watch(sweeper: MayflyFunction): void {
    this.#tell(sweeper, [...this.#secrets.keys()]);
    const arns = this.#sorted().map(([, secret]) => arnOf(secret));
    sweeper.allow("WatchSecrets", ["secretsmanager:DescribeSecret"], arns);
  }

  /**
   * Allow a function to read these secrets, to create their users. Call it after all secrets are
   * added.
   */
  read(provisioner: MayflyFunction, names: readonly string[]): void {
    this.#tell(provisioner, names);
    const secrets = this.#sorted().filter(([name]) => names.includes(name));
    if (secrets.length === 0) return;
    const arns = secrets.map(([, secret]) => arnOf(secret));
    provisioner.allow("ReadRotatedSecrets", ["secretsmanager:GetSecretValue"], arns);
    for (const [, secret] of secrets)
      grantKey(this.#scope, provisioner.lambda, secret, ["kms:Decrypt"]);
  }

  /** Name to ARN of every secret that was added so far. */
  arns(names: readonly string[]): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.#sorted()
        .filter(([name]) => names.includes(name))
        .map(([name, { secretArn }]) => [name, secretArn]),
    );
  }

  #sorted(): [string, ISecret][] {
    return [...this.#secrets].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** @throws Error if the ARNs do not fit the function's environment. */
  #tell(reader: MayflyFunction, names: readonly string[]): void {
    const ROTATED_SECRETS = Stack.of(this.#scope).toJsonString(this.arns(names));
    const bytes = environmentSize(this.#scope, { ...reader.environment, ROTATED_SECRETS });
    if (bytes > ENVIRONMENT_LIMIT)
      throw new Error(
        `${this.#secrets.size} rotated secrets of ${this.#database} do not fit the environment of its functions: about ${bytes} bytes, of ${ENVIRONMENT_LIMIT}; make some a RotatedSecret without the DynamicDatabase`,
      );
    reader.lambda.addEnvironment("ROTATED_SECRETS", ROTATED_SECRETS);
  }
}
