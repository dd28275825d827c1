import type { Account } from "./account.ts";
import type { Clock } from "./clock.ts";
import type { ResourceTypes } from "./cloudformation/resource.ts";
import { InstanceMetadata } from "./ec2/instance-metadata.ts";
import { InstanceProfiles } from "./ec2/instance-profiles.ts";
import { TaskCredentials } from "./ecs/task-credentials.ts";
import { type EksCluster, EksClusters } from "./eks/eks-clusters.ts";
import { agentPath, PodIdentityAgent } from "./eks/pod-identity-agent.ts";
import { PodIdentityAssociations } from "./eks/pod-identity-associations.ts";
import type { UnsignedService } from "./http/protocols.ts";
import type { Access } from "./iam/access.ts";
import type { Identities } from "./iam/identity.ts";
import { OidcProviders } from "./iam/oidc-providers.ts";
import { ServiceRoles } from "./iam/service-roles.ts";
import { TokenCheck } from "./oidc/token-check.ts";
import { type TokenIssuer, TokenIssuers } from "./oidc/token-issuers.ts";

interface WorkloadsOptions {
  readonly account: Account;
  readonly access: Access;
  readonly clock: Clock;
  readonly identities: Identities;
  readonly endpoint: () => string;
}

/** A cluster of EKS, and where its pods find credentials. */
export interface Cluster extends EksCluster {
  /** For `AWS_CONTAINER_CREDENTIALS_FULL_URI` of its pods. */
  readonly credentialsUri: string;
}

/** The platforms on which workloads run, as far as they give credentials. */
export class Workloads {
  readonly #clusters: EksClusters;
  readonly #endpoint: () => string;
  readonly #identities: Identities;
  readonly #instances: InstanceMetadata;
  readonly #issuers: TokenIssuers;
  readonly #profiles: InstanceProfiles;
  readonly #tasks: TaskCredentials;
  readonly providers: OidcProviders;
  readonly tokens: TokenCheck;
  readonly resources: ResourceTypes;
  readonly unsigned: readonly UnsignedService[];

  constructor({ account, access, clock, identities, endpoint }: WorkloadsOptions) {
    const roles = new ServiceRoles(access, identities);
    const associations = new PodIdentityAssociations(account, roles);
    this.#endpoint = endpoint;
    this.#identities = identities;
    this.#issuers = new TokenIssuers(clock, endpoint);
    this.#clusters = new EksClusters(account, this.#issuers);
    this.#instances = new InstanceMetadata(clock, roles);
    this.#profiles = new InstanceProfiles(account, identities);
    this.#tasks = new TaskCredentials(account, roles);
    this.providers = new OidcProviders(account);
    this.tokens = new TokenCheck(this.#issuers, clock);
    this.resources = {
      ...associations.resources,
      ...this.#profiles.resources,
      ...this.providers.resources,
    };
    const clusters = this.#clusters;
    const agent = new PodIdentityAgent({
      account,
      associations,
      clock,
      clusters,
      roles,
      tokens: this.tokens,
    });
    this.unsigned = [this.#issuers, agent, this.#tasks];
  }

  /** The issuer with this URL, e.g. `https://token.actions.githubusercontent.com`. */
  issuer(url: string): TokenIssuer {
    return this.#issuers.of(url);
  }

  /** Add an OIDC provider that the account has without the stack. */
  addProvider(url: string, clientIds: readonly string[]): void {
    this.providers.add(url, clientIds);
  }

  /**
   * The cluster with this name.
   *
   * @param issuer the URL of its issuer, for a cluster that is named for the first time. The default
   *   looks like those of EKS.
   */
  cluster(name: string, issuer?: string): Cluster {
    const credentialsUri = `${this.#endpoint()}${agentPath(name)}`;
    return { ...this.#clusters.of(name, issuer), credentialsUri };
  }

  /**
   * Start a task of ECS that only has credentials.
   *
   * @param role its name, ARN or logical id.
   * @returns `AWS_CONTAINER_CREDENTIALS_FULL_URI` of its containers.
   * @throws Error in ECS's words if the role does not trust ECS.
   */
  async startTask(role: string): Promise<string> {
    return `${this.#endpoint()}${await this.#tasks.start(this.#identities.role(role))}`;
  }

  /**
   * Start an instance that only has metadata.
   *
   * @param profile the name of its instance profile.
   * @returns its `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
   */
  startInstance(profile: string): Promise<string> {
    return this.#instances.start(this.#profiles.role(profile));
  }

  stop(): Promise<void> {
    return this.#instances.stop();
  }
}
