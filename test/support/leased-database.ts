import { KeeperError } from "../../client/keeper/errors.ts";
import type { Invoke, Invoked } from "../../client/keeper/sources/invoke.ts";
import { issuerBy } from "../../client/keeper/sources/issuer.ts";
import type { LeaseSource } from "../../client/keeper/sources/lease-source.ts";
import { operate } from "../../core/leases/operation/operate.ts";
import { revokeDue } from "../../core/leases/revocation/revoke-due.ts";
import { MAINTENANCE_DATABASE } from "../../core/names.ts";
import { ownLogin } from "../../lambda/handlers/own-login.ts";
import type { TestCluster } from "./cluster.ts";
import { type FiringScheduler, firingScheduler } from "./firing-scheduler.ts";
import { type Alias, type Issuer, issuerOn } from "./leases.ts";
import { runAs, type TestDatabase } from "./provisioned.ts";
import { type RotationScene, rotationScene } from "./rotations.ts";

export interface LeasedDatabaseOptions {
  readonly cluster: TestCluster;
  /** Of each lease, without renewal. */
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
}

/** Of the issuer's alias, in an account that nobody has. */
export const aliasArn = (alias: Alias): string =>
  `arn:aws:lambda:eu-west-1:123456789012:function:issuer:${alias}`;

/**
 * A database with all that issues and revokes leases there: the real code, without Lambda between.
 * Leases are revoked when they end. The caller closes it.
 */
export class LeasedDatabase {
  readonly test: TestDatabase;
  readonly #scene: RotationScene;
  readonly #issuer: Issuer;
  readonly #revoker: Issuer;
  readonly #scheduler: FiringScheduler;
  #calls: Promise<unknown> = Promise.resolve();
  #revocations: Promise<unknown> = Promise.resolve();
  /** Whether calls of the issuer fail, as those of a Region that is out of reach do. */
  isAway = false;
  /** Calls that failed because it was away. */
  refused = 0;
  /** Revocations that failed. */
  readonly faults: unknown[] = [];

  static async start({ cluster, ...times }: LeasedDatabaseOptions): Promise<LeasedDatabase> {
    const scene = await rotationScene("issuer-login", {
      cluster,
      limits: { ...times, connectionLimit: 100 },
    });
    return new LeasedDatabase(scene, cluster);
  }

  private constructor(scene: RotationScene, { host, port }: TestCluster) {
    this.#scene = scene;
    this.test = scene.test;
    this.#scheduler = firingScheduler((input) => {
      this.#revocations = this.#revocations
        .then(() => revokeDue(this.#revoker.deps, [input]))
        .catch((error: unknown) => this.faults.push(error));
    });
    // each has its own connection, and learns of a rotation by itself
    const instance = (): Issuer =>
      issuerOn(scene.test, {
        scheduler: this.#scheduler,
        login: ownLogin({
          secrets: {
            getSecret: (id, version = {}) =>
              scene.secret.secrets.getSecret(id, { stage: "AWSCURRENT", ...version }),
          },
          secretArn: scene.secret.arn,
          database: MAINTENANCE_DATABASE,
          host,
          port,
          ssl: () => scene.ssl,
        }),
      });
    this.#issuer = instance();
    this.#revoker = instance();
  }

  /** The issuer's alias, as the source of a keeper. */
  source(alias: Alias): LeaseSource {
    const invoke: Invoke = (_, event) => {
      if (!this.isAway) return this.invoke(alias, event);
      this.refused += 1;
      return Promise.reject(new KeeperError("unavailable", "the issuer is away"));
    };
    return issuerBy(invoke, aliasArn(alias));
  }

  /** What Lambda does with a call of the issuer's alias. */
  invoke(alias: Alias, event: object): Promise<Invoked> {
    // an instance of a function serves one request at a time
    const call = this.#calls.then(async () => {
      const request: unknown = JSON.parse(JSON.stringify(event));
      try {
        return { payload: await this.#issuer.ask(alias, request), isError: false };
      } catch (error) {
        const { name, message } = error as Error;
        return { payload: { errorType: name, errorMessage: message }, isError: true };
      }
    });
    this.#calls = call;
    return call;
  }

  /** Rotate the password of the issuer, in four steps. */
  rotateIssuer(): Promise<void> {
    return this.#scene.rotate();
  }

  /** Break glass: revoke every lease, as the operator function does. */
  async revokeEverything(): Promise<void> {
    const options = { actor: "operator", mayContinue: () => true };
    await operate(this.#revoker.deps, { action: "revoke", everything: true }, options);
  }

  /** How many statements with `text` in them leases run now. */
  async running(text: string): Promise<number> {
    const [row] = await runAs(
      this.test.superuser(),
      `select count(*)::int from pg_stat_activity
       where usename ~ '^mf_${this.test.tag}_' and state = 'active' and strpos(query, '${text}') > 0`,
    );
    return Number(row?.count);
  }

  async close(): Promise<void> {
    this.#scheduler.stop();
    await this.#revocations;
    await this.#calls;
    await Promise.all([this.#issuer.close(), this.#revoker.close()]);
  }
}
