import type { Access } from "./access.ts";
import type { Identities, Role, Session, Tags } from "./identity.ts";

/** AWS gives these to pods, tasks and instances. Seconds. */
export const WORKLOAD_SESSION_SECONDS = 6 * 3_600;

/** How a service takes a role for a workload. */
export interface ServiceAssumption {
  readonly service: string;
  /** What the trust policy must allow. */
  readonly actions: readonly string[];
  readonly context: Readonly<Record<string, string>>;
  /** Of the session. */
  readonly name: string;
  readonly tags?: Tags;
}

/** Services that take roles for the workloads that run on them. */
export class ServiceRoles {
  readonly #access: Access;
  readonly #identities: Identities;

  constructor(access: Access, identities: Identities) {
    this.#access = access;
    this.#identities = identities;
  }

  /** A role of this ARN. Undefined if there is none. */
  find(arn: string): Role | undefined {
    const role = this.#identities.find(arn);
    return role?.arn === arn ? role : undefined;
  }

  /** A session of the role. Undefined if the trust policy does not allow one of the actions. */
  async assume(role: Role, wanted: ServiceAssumption): Promise<Session | undefined> {
    const { service: principal, actions, context, name, tags = {} } = wanted;
    for (const action of actions)
      if (!(await this.#access.trustAllows(role, { principal, action, context }))) return undefined;
    return this.#identities.assume(role, { name, seconds: WORKLOAD_SESSION_SECONDS, tags });
  }
}

/** The members that every credential endpoint answers. */
export const keysOf = ({ credentials, expiresAt }: Session) => ({
  AccessKeyId: credentials.accessKeyId,
  SecretAccessKey: credentials.secretAccessKey,
  Token: credentials.sessionToken,
  Expiration: new Date(expiresAt).toISOString(),
});
