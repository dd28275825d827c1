import { Stack } from "aws-cdk-lib";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import { arnOf, grantKey } from "../database/secret-access.ts";
import { ENVIRONMENT_LIMIT, environmentSize } from "../functions/environment-size.ts";
import type { MayflyFunction } from "../functions/mayfly-function.ts";

/** Every secret of one database that is rotated, by name; the issuer's is one. */
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

  /** Let a function know how old each is. Once all are added. */
  watch(sweeper: MayflyFunction): void {
    this.#tell(sweeper, [...this.#secrets.keys()]);
    const arns = this.#sorted().map(([, secret]) => arnOf(secret));
    sweeper.allow("WatchSecrets", ["secretsmanager:DescribeSecret"], arns);
  }

  /** Let a function make the users of these, with the passwords in them. Once all are added. */
  read(provisioner: MayflyFunction, names: readonly string[]): void {
    this.#tell(provisioner, names);
    const secrets = this.#sorted().filter(([name]) => names.includes(name));
    if (secrets.length === 0) return;
    const arns = secrets.map(([, secret]) => arnOf(secret));
    provisioner.allow("ReadRotatedSecrets", ["secretsmanager:GetSecretValue"], arns);
    for (const [, secret] of secrets)
      grantKey(this.#scope, provisioner.lambda, secret, ["kms:Decrypt"]);
  }

  /** Name to ARN, as far as they are added. */
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

  /** @throws Error when its environment has no room for them. */
  #tell(reader: MayflyFunction, names: readonly string[]): void {
    const ROTATED_SECRETS = Stack.of(this.#scope).toJsonString(this.arns(names));
    const bytes = environmentSize(this.#scope, { ...reader.environment, ROTATED_SECRETS });
    if (bytes > ENVIRONMENT_LIMIT)
      throw new Error(
        `${this.#secrets.size} rotated secrets of ${this.#database} do not fit the environment of its functions, with about ${bytes} bytes of ${ENVIRONMENT_LIMIT}; rotate some by a RotatedSecret that stands alone`,
      );
    reader.lambda.addEnvironment("ROTATED_SECRETS", ROTATED_SECRETS);
  }
}
