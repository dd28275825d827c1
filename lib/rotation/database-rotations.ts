import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { Construct, IDependable } from "constructs";
import type { ParsedSecret } from "../../config/config.ts";
import { type Declared, groupOf } from "../../config/declared.ts";
import { parseSecret } from "../../config/pieces.ts";
import { ISSUER_SECRET, issuerLoginName, JANITOR_SECRET, janitorName } from "../../core/names.ts";
import { DEFAULT_PASSWORD_POLICY, type RotationSettings } from "../../core/rotation/settings.ts";
import type { DynamicDatabaseProps } from "../database/dynamic-database-props.ts";
import type { LeaseSecrets } from "../database/lease-secrets.ts";
import type { FunctionNetwork } from "../functions/function-network.ts";
import type { Watched } from "../observability/watched.ts";
import { RotatedSecret, secretConfigOf } from "./rotated-secret.ts";
import type { AddRotatedSecretProps } from "./rotated-secret-props.ts";
import type { RotatedSecrets } from "./rotated-secrets.ts";
import { Rotation } from "./rotation.ts";

/** What a database gives to the rotations of its secrets. */
export interface DatabaseRotationsProps {
  readonly props: DynamicDatabaseProps & { readonly port: number; readonly assets: string };
  readonly settled: Pick<Declared, "database" | "tag" | "settings" | "loginRotation">;
  readonly network: FunctionNetwork;
  /** Where readers are, among others. */
  readonly address: Readonly<Record<string, string>>;
  readonly secrets: LeaseSecrets;
  readonly registry: RotatedSecrets;
  readonly watched: Watched;
  /** What makes the users. */
  readonly provisioned: IDependable;
  readonly nameOf: (name: string) => string;
}

type Identifiers = Pick<DynamicDatabaseProps, "instanceIdentifier" | "clusterIdentifier">;

/** The rotations of one database: of its issuer's logins, and of every secret that is added. */
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
   * @throws ConfigError with all that is wrong with them.
   */
  parse(name: string, props: AddRotatedSecretProps): ParsedSecret {
    return parseSecret(name, secretConfigOf(props), {
      usersAreMade: props.secret === undefined,
      cluster: this.#identifiers(props).clusterIdentifier !== undefined,
    });
  }

  /** Make a secret that was checked. */
  add(name: string, options: AddRotatedSecretProps, parsed: ParsedSecret): RotatedSecret {
    const { props, settled, network, registry, watched, provisioned, nameOf } = this.#parts;
    const { vpc, databaseConnections, host, port, assets, adminSecret } = props;
    const place = { vpc, databaseConnections, host, port, assets, adminSecret };
    const made = new RotatedSecret(
      this.#scope,
      `secret-${name}`,
      {
        ...options,
        ...place,
        ...this.#identifiers(options),
        database: settled.database,
        databaseName: settled.settings.databases[0] ?? "",
        name,
      },
      {
        parsed,
        tag: settled.tag,
        trust: this.#trust,
        network,
        group: groupOf(settled.tag, parsed),
        owner: settled.settings.owner,
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
    const { secrets, settled } = this.#parts;
    const { tag } = settled;
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
    const { props, settled, network, registry, watched, provisioned } = this.#parts;
    const { assets, host, port } = props;
    const { database, tag, loginRotation: times } = settled;
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
      place: { assets, network, host, port },
      functionName: this.#parts.nameOf(`rotate-${name}`),
    });
    rotation.after(provisioned);
    registry.add(name, secret);
    watched.addRotated({ name, rotator: rotation.rotator.lambda, ...times });
  }

  /** Its own where it names one, else the database's. */
  #identifiers({ instanceIdentifier, clusterIdentifier }: Identifiers): Identifiers {
    const { props } = this.#parts;
    return (instanceIdentifier ?? clusterIdentifier) === undefined
      ? { instanceIdentifier: props.instanceIdentifier, clusterIdentifier: props.clusterIdentifier }
      : { instanceIdentifier, clusterIdentifier };
  }

  get #trust() {
    const { tls, ca } = this.#parts.settled.settings;
    return { tls, ...(ca !== undefined && { ca }) };
  }
}
