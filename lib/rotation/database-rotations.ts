import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { Construct, IDependable } from "constructs";
import type { ParsedSecret } from "../../config/config.ts";
import { groupOf } from "../../config/plan.ts";
import { ISSUER_SECRET, issuerLoginName, JANITOR_SECRET, janitorName } from "../../core/names.ts";
import { DEFAULT_PASSWORD_POLICY, type RotationSettings } from "../../core/rotation/settings.ts";
import type { DatabaseBasics } from "../database/declarations.ts";
import type { DatabaseLocation } from "../database/dynamic-database-props.ts";
import type { LeaseSecrets } from "../database/lease-secrets.ts";
import type { FunctionNetwork } from "../functions/function-network.ts";
import type { Watched } from "../observability/watched.ts";
import { checkSecret, RotatedSecret } from "./rotated-secret.ts";
import type { AddRotatedSecretProps, SecretStorage } from "./rotated-secret-props.ts";
import type { RotatedSecrets } from "./rotated-secrets.ts";
import { Rotation } from "./rotation.ts";

/** What a database passes to the rotations of its secrets. */
export interface DatabaseRotationsProps {
  readonly props: DatabaseLocation & { readonly port: number; readonly assets: string };
  readonly basics: DatabaseBasics;
  readonly network: FunctionNetwork;
  /** Variables of the functions' environment, e.g. the addresses of readers. */
  readonly address: Readonly<Record<string, string>>;
  readonly secrets: LeaseSecrets;
  readonly registry: RotatedSecrets;
  readonly watched: Watched;
  /** The resource that creates the users. */
  readonly provisioned: IDependable;
  readonly nameOf: (name: string) => string;
}

type Identifiers = Pick<DatabaseLocation, "instanceIdentifier" | "clusterIdentifier">;

/** The rotations of one database: of Mayfly's own logins and of every secret that is added. */
export class DatabaseRotations {
  readonly #scope: Construct;
  readonly #parts: DatabaseRotationsProps;

  constructor(scope: Construct, parts: DatabaseRotationsProps) {
    this.#scope = scope;
    this.#parts = parts;
    this.#rotateLogins();
  }

  /**
   * Check a secret's properties.
   *
   * @throws ConfigError with every problem, one per line.
   */
  check(name: string, props: AddRotatedSecretProps): ParsedSecret {
    return checkSecret(name, props, {
      usersAreMade: props.secret === undefined,
      cluster: this.#identifiers(props).clusterIdentifier !== undefined,
    });
  }

  /** Create a checked secret. */
  add(name: string, storage: SecretStorage, parsed: ParsedSecret): RotatedSecret {
    const { props, basics, network, registry, watched, provisioned, nameOf } = this.#parts;
    const { vpc, databaseConnections, host, port, assets, adminSecret } = props;
    const server = { vpc, databaseConnections, host, port, assets, adminSecret };
    const made = new RotatedSecret(
      this.#scope,
      `secret-${name}`,
      {
        ...storage,
        ...server,
        ...this.#identifiers(storage),
        database: basics.database,
        databaseName: basics.settings.databases[0] ?? "",
        name,
      },
      {
        parsed,
        tag: basics.tag,
        trust: this.#trust,
        network,
        group: groupOf(basics.tag, parsed),
        owner: basics.settings.owner,
        functionName: nameOf(`rotate-${name}`),
        readerHosts: this.#parts.address.DB_READERS,
      },
    );
    made.rotateAfter(provisioned);
    registry.add(name, made.secret);
    watched.addRotated({ name, rotator: made.rotator, ...parsed.times });
    return made;
  }

  /** Mayfly's own logins: the issuer's take turns, and the janitor changes its own password. */
  #rotateLogins(): void {
    const { secrets, basics } = this.#parts;
    const { tag } = basics;
    this.#rotateOwn("LoginRotation", ISSUER_SECRET, secrets.issuer, {
      strategy: "issuer-login",
      usernames: [issuerLoginName(tag, "a"), issuerLoginName(tag, "b")],
    });
    this.#rotateOwn("JanitorRotation", JANITOR_SECRET, secrets.janitor, {
      strategy: "single-user",
      usernames: [janitorName(tag)],
    });
  }

  #rotateOwn(
    id: string,
    name: string,
    secret: ISecret,
    who: Pick<RotationSettings, "strategy" | "usernames">,
  ): void {
    const { props, basics, network, registry, watched, provisioned } = this.#parts;
    const { assets, host, port } = props;
    const { database, tag, loginRotation: times } = basics;
    const rotation = new Rotation(this.#scope, id, {
      settings: {
        database,
        tag,
        secret: name,
        ...who,
        ...this.#trust,
        password: DEFAULT_PASSWORD_POLICY,
        testQueries: [],
      },
      secret,
      times,
      server: { assets, network, host, port },
      functionName: this.#parts.nameOf(`rotate-${name}`),
    });
    rotation.after(provisioned);
    registry.add(name, secret);
    watched.addRotated({ name, rotator: rotation.rotator.lambda, ...times });
  }

  /** The instance or cluster that the secret names, otherwise the database's. */
  #identifiers({ instanceIdentifier, clusterIdentifier }: Identifiers): Identifiers {
    const { props } = this.#parts;
    return (instanceIdentifier ?? clusterIdentifier) === undefined
      ? { instanceIdentifier: props.instanceIdentifier, clusterIdentifier: props.clusterIdentifier }
      : { instanceIdentifier, clusterIdentifier };
  }

  get #trust() {
    const { tls, ca } = this.#parts.basics.settings;
    return { tls, ...(ca !== undefined && { ca }) };
  }
}
