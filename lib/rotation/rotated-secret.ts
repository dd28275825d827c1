import { Token } from "aws-cdk-lib";
import type { Grant, IGrantable } from "aws-cdk-lib/aws-iam";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import { Construct, type IDependable } from "constructs";
import type { ParsedSecret, ParsedTrust } from "../../config/config.ts";
import { isManagedByRds } from "../../config/existing-secret.ts";
import { parseSecret, parseTrust } from "../../config/parts.ts";
import type { SecretContext } from "../../config/secret.ts";
import type { RotationSettings } from "../../core/rotation/settings.ts";
import { makeDatabaseSecret } from "../database/generated-secret.ts";
import { grantReadOf } from "../database/secret-access.ts";
import { BUILT_FUNCTIONS } from "../functions/function-code.ts";
import { type FunctionNetwork, makeFunctionNetwork } from "../functions/function-network.ts";
import { checkTrust } from "../identity/trust.ts";
import { CONSTRUCT_TIMES } from "./construct-times.ts";
import type {
  AddRotatedSecretProps,
  RotatedSecretProps,
  SecretLocation,
  SecretStorage,
} from "./rotated-secret-props.ts";
import { Rotation } from "./rotation.ts";

/** What a DynamicDatabase passes for one of its secrets. */
export interface CheckedSecret {
  /** Part of the comment by which the provisioner recognises the users. */
  readonly tag: string;
  readonly parsed: ParsedSecret;
  readonly trust: ParsedTrust;
  readonly network: FunctionNetwork;
  /** The NOLOGIN role whose privileges the users have. */
  readonly group: string | undefined;
  /** The role that owns the application's tables. */
  readonly owner: string;
  readonly functionName: string;
  readonly readerHosts: string | undefined;
}

/**
 * Check the properties of a secret.
 *
 * @throws ConfigError with every problem, one per line.
 */
export const checkSecret = (
  name: string,
  props: AddRotatedSecretProps,
  context: SecretContext,
): ParsedSecret => {
  const { strategy, username, usernames, role, ownerGroup, schedule, window } = props;
  const { excludeCharacters, passwordLength, testQueries } = props;
  const who = { strategy, username, usernames, role, ownerGroup };
  const what = { schedule, window, excludeCharacters, passwordLength, testQueries };
  const rotateImmediately = props.rotateImmediatelyOnUpdate;
  return parseSecret(name, CONSTRUCT_TIMES, { ...who, ...what, rotateImmediately }, context);
};

/** Check a secret without a DynamicDatabase, and how its server is trusted. */
const checkAlone = (props: RotatedSecretProps): Pick<CheckedSecret, "parsed" | "trust"> => ({
  parsed: checkSecret(props.name, props, {
    usersAreMade: false,
    cluster: props.clusterIdentifier !== undefined,
  }),
  trust: parseTrust(props.database, { tls: props.tls, ca: props.ca }),
});

/** The secret and its server. */
type SecretParts = SecretLocation & SecretStorage;

/** The content of `rotation.json`, which the function reads. Two users act as their owner group. */
const settingsOf = (
  { strategy, usernames, role, password, testQueries }: ParsedSecret,
  group: string | undefined,
): Omit<RotationSettings, "database" | "secret" | "tls" | "ca"> => ({
  strategy,
  usernames,
  ...(strategy === "alternating-users" &&
    group !== undefined && { group, actsAsGroup: role === undefined }),
  password,
  testQueries,
});

/**
 * An AWS database secret whose password Secrets Manager rotates in four steps. Its rotation
 * function may use this secret only.
 */
export class RotatedSecret extends Construct {
  /** The secret that applications read. */
  readonly secret: ISecret;
  /** The rotation function, e.g. for your own metrics. */
  readonly rotator: LambdaFunction;
  readonly #rotation: Rotation;

  constructor(scope: Construct, id: string, props: RotatedSecretProps);
  /** @param checked parsed properties, which only DynamicDatabase passes. */
  constructor(scope: Construct, id: string, props: SecretParts, checked: CheckedSecret);
  constructor(
    scope: Construct,
    id: string,
    props: RotatedSecretProps | SecretParts,
    checked?: CheckedSecret,
  ) {
    super(scope, id);
    const { database, name, port = 5_432, assets = BUILT_FUNCTIONS } = props;
    const { parsed, trust } = checked ?? checkAlone(props as RotatedSecretProps);
    if (checked === undefined) checkTrust(this, database, assets, trust);
    const adminSecret = this.#administrator(props, parsed);
    this.secret = this.#adopted(props, parsed) ?? this.#make(props, parsed, adminSecret);
    const group = checked === undefined ? parsed.ownerGroup : checked.group;
    const { instanceIdentifier, clusterIdentifier } = props;
    this.#rotation = new Rotation(this, "Rotation", {
      settings: {
        database,
        ...(checked && { tag: checked.tag, owner: checked.owner }),
        secret: name,
        ...settingsOf(parsed, group),
        ...trust,
      },
      secret: this.secret,
      adminSecret,
      times: parsed.times,
      server: {
        assets,
        network: checked?.network ?? this.#network({ ...props, port }),
        host: props.host,
        port,
        readerHosts: checked?.readerHosts,
        instanceIdentifier,
        clusterIdentifier,
      },
      functionName: checked?.functionName,
      rotateImmediately: parsed.rotateImmediately,
      sourceArn: props.sourceArn,
    });
    this.rotateAfter(...props.databaseConnections.connections.securityGroups);
    this.rotator = this.#rotation.rotator.lambda;
  }

  /**
   * Allow an identity to read this secret, and to decrypt it with the secret's own key.
   *
   * @throws Error if no policy can be attached to the identity, e.g. to another account's role.
   */
  grantRead(identity: IGrantable): Grant {
    return grantReadOf(this, identity, this.secret);
  }

  /**
   * Create these resources before the rotation starts, and delete them after it stops: endpoints,
   * or what creates the users.
   */
  rotateAfter(...dependencies: IDependable[]): void {
    this.#rotation.after(...dependencies);
  }

  /** The secret of the login that sets the passwords of `alternating-users`. */
  #administrator({ adminSecret }: SecretParts, { strategy }: ParsedSecret): ISecret | undefined {
    if (strategy !== "alternating-users") return undefined;
    if (adminSecret === undefined)
      throw new Error(
        `${this.node.path}: alternating-users needs adminSecret, by which the passwords are set`,
      );
    return adminSecret;
  }

  /** The existing secret to rotate. Undefined if Mayfly creates one. */
  #adopted(props: SecretParts, { strategy, usernames }: ParsedSecret): ISecret | undefined {
    const master = strategy === "master-user";
    const secret = props.secret ?? (master ? props.adminSecret : undefined);
    const { path } = this.node;
    if (master && secret === undefined)
      throw new Error(
        `${path}: master-user needs the secret to rotate; pass secret or adminSecret`,
      );
    if (master && usernames.length === 0)
      throw new Error(
        `${path}: master-user needs username, the administrator who is in the secret; its function refuses any other`,
      );
    if (master && !props.instanceIdentifier && !props.clusterIdentifier)
      throw new Error(
        `${path}: master-user needs instanceIdentifier or clusterIdentifier, on which RDS sets the password`,
      );
    if (secret === undefined) return undefined;
    const named = [secret.secretName, secret.secretArn].filter((each) => !Token.isUnresolved(each));
    const managed = named.find(isManagedByRds);
    if (managed !== undefined)
      throw new Error(
        `${path}: "${managed}" is rotated by RDS, which made it; let RDS manage the password no longer, or leave its rotation to RDS`,
      );
    if (secret.secretFullArn === undefined)
      throw new Error(
        `${path}: "${secret.secretName}" is known by its name, and a rotation needs the one secret that it is; import it by its complete ARN`,
      );
    if (props.encryptionKey !== undefined || (props.replicaRegions ?? []).length > 0)
      throw new Error(
        `${path}: encryptionKey and replicaRegions are a new secret's, and this one exists; remove them`,
      );
    return secret;
  }

  #make(props: SecretParts, parsed: ParsedSecret, adminSecret: ISecret | undefined) {
    return makeDatabaseSecret(this, "Secret", {
      description: `Mayfly: rotated secret ${props.name} of ${props.database}`,
      host: props.host,
      port: props.port ?? 5_432,
      dbname: props.databaseName ?? "postgres",
      username: parsed.usernames[0] ?? "",
      adminSecret,
      password: parsed.password,
      encryptionKey: props.encryptionKey,
      replicaRegions: props.replicaRegions,
    });
  }

  #network(props: SecretParts & { readonly port: number }): FunctionNetwork {
    const whose = `Mayfly rotation of ${props.database}/${props.name}`;
    return makeFunctionNetwork(this, "SecurityGroup", { ...props, whose });
  }
}
