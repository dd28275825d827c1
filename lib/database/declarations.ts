import type { ParsedRole, ParsedSecret } from "../../config/config.ts";
import type { DatabaseModel } from "../../config/plan.ts";
import { clashOf } from "../../config/secret-rules.ts";
import type { Grant } from "../../core/leases/deployment.ts";

/** What the constructor of a database is given. */
export type DatabaseBasics = Pick<
  DatabaseModel,
  "database" | "tag" | "settings" | "loginRotation" | "aliasUnsealed"
>;

/** Collects the roles, grants and secrets of one database until the app is synthesized. */
export class Declarations {
  readonly #path: string;
  readonly #basics: DatabaseBasics;
  readonly #roles = new Map<string, ParsedRole>();
  readonly #grants = new Map<string, Grant>();
  readonly #secrets = new Map<string, ParsedSecret>();
  readonly #consumers = new Map<string, string>();
  #finished = false;

  constructor(path: string, basics: DatabaseBasics) {
    this.#path = path;
    this.#basics = basics;
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
    const clash = clashOf(secret, this.#secrets, this.#basics.settings.owner);
    if (clash !== undefined) throw new Error(`secret "${name}" of ${this.#database}: ${clash}`);
    this.#secrets.set(name, secret);
  }

  /** @param identity the same text for the same role. */
  addGrant(alias: string, grant: Grant, identity: string): void {
    this.#refuseWhenFinished(`consumer "${grant.consumer}"`);
    const known = this.#consumers.get(grant.consumer) ?? identity;
    if (known !== identity)
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

  /** Everything that was added so far. */
  get all(): DatabaseModel {
    const said = { roles: this.#roles, grants: this.#grants, secrets: this.#secrets };
    return { ...this.#basics, ...said };
  }

  /**
   * Everything that was added. No more can be added afterwards.
   *
   * @throws Error if a secret names a role that was never added.
   */
  finish(): DatabaseModel {
    this.#finished = true;
    for (const [name, { role }] of this.#secrets)
      if (role !== undefined && !this.#roles.has(role))
        throw new Error(
          `secret "${name}" of ${this.#database} has the privileges of "${role}", which is no role of it; add the role, or pass ownerGroup`,
        );
    return this.all;
  }

  get #database(): string {
    return this.#basics.database;
  }

  #refuseWhenFinished(what: string): void {
    if (this.#finished)
      throw new Error(`${what} comes too late: ${this.#path} was synthesized already`);
  }
}
