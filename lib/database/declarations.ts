import type { IRole } from "aws-cdk-lib/aws-iam";
import type { ParsedRole, ParsedSecret } from "../../config/config.ts";
import type { Declared } from "../../config/declared.ts";
import { clashOf } from "../../config/secret-checks.ts";
import type { Grant } from "../../core/leases/deployment.ts";

type Settled = Pick<Declared, "database" | "tag" | "settings" | "loginRotation">;

/** What is said about one database, until its app is synthesized. */
export class Declarations {
  readonly #path: string;
  readonly #settled: Settled;
  readonly #roles = new Map<string, ParsedRole>();
  readonly #grants = new Map<string, Grant>();
  readonly #secrets = new Map<string, ParsedSecret>();
  readonly #consumers = new Map<string, string>();
  #finished = false;

  constructor(path: string, settled: Settled) {
    this.#path = path;
    this.#settled = settled;
  }

  addRole(name: string, role: ParsedRole): void {
    this.#refuseWhenFinished(`role "${name}"`);
    if (this.#roles.has(name)) throw new Error(`${this.#database} has a role "${name}" already`);
    this.#roles.set(name, role);
  }

  addSecret(name: string, secret: ParsedSecret): void {
    this.#refuseWhenFinished(`secret "${name}"`);
    if (this.#secrets.has(name))
      throw new Error(`${this.#database} has a secret "${name}" already`);
    const clash = clashOf(secret, this.#secrets, this.#settled.settings.owner);
    if (clash !== undefined) throw new Error(`secret "${name}" of ${this.#database}: ${clash}`);
    this.#secrets.set(name, secret);
  }

  addGrant(alias: string, grant: Grant, grantee: IRole): void {
    this.#refuseWhenFinished(`consumer "${grant.consumer}"`);
    const known = this.#consumers.get(grant.consumer) ?? grantee.roleArn;
    if (known !== grantee.roleArn)
      throw new Error(
        `consumer "${grant.consumer}" of ${this.#database} is another role already; one name is one role, choose another name`,
      );
    if (this.#grants.has(alias))
      throw new Error(`${grant.consumer} may ask for ${this.#database}/${grant.role} already`);
    this.#consumers.set(grant.consumer, known);
    this.#grants.set(alias, grant);
  }

  /** The sum of all roles' `maxLeases`. */
  ceiling(): number {
    return [...this.#roles.values()].reduce((sum, { maxLeases }) => sum + maxLeases, 0);
  }

  /** All of it, as far as it is said. */
  get all(): Declared {
    const said = { roles: this.#roles, grants: this.#grants, secrets: this.#secrets };
    return { ...this.#settled, ...said };
  }

  /**
   * All of it, and nothing more.
   *
   * @throws Error for a secret's role that was never added.
   */
  finish(): Declared {
    this.#finished = true;
    for (const [name, { role }] of this.#secrets)
      if (role !== undefined && !this.#roles.has(role))
        throw new Error(
          `secret "${name}" of ${this.#database} has the privileges of "${role}", which is no role of it; add the role, or pass ownerGroup`,
        );
    return this.all;
  }

  get #database(): string {
    return this.#settled.database;
  }

  #refuseWhenFinished(what: string): void {
    if (this.#finished)
      throw new Error(`${what} comes too late: ${this.#path} was synthesized already`);
  }
}
