import { GOOGLE } from "../../core/aws/trust/web-identity.ts";
import { issuerName } from "../../core/aws/workload-identity.ts";
import { type Account, globalArnOf } from "../account.ts";
import type { Created, Resource, ResourceTypes } from "../cloudformation/resource.ts";

/** An issuer whose tokens the account takes. */
export interface OidcProvider {
  readonly arn: string;
  /** As in tokens. */
  readonly url: string;
  /** The audiences that it takes. Undefined: all. */
  readonly clientIds: readonly string[] | undefined;
}

/** The OIDC providers of the account. */
export class OidcProviders {
  readonly #account: Account;
  readonly #providers = new Map<string, OidcProvider>();

  constructor(account: Account) {
    this.#account = account;
  }

  /** The provider of an issuer, as a token names it. */
  find(issuer: string): OidcProvider | undefined {
    const name = issuerName(issuer);
    // IAM knows this issuer without a provider
    if (issuer === GOOGLE) return { arn: this.#arnOf(name), url: issuer, clientIds: undefined };
    return this.#providers.get(name);
  }

  /** Take a provider that existed before the stack, or one of the template. */
  add(url: string, clientIds: readonly string[]): OidcProvider {
    const name = issuerName(url);
    const provider = { arn: this.#arnOf(name), url, clientIds };
    this.#providers.set(name, provider);
    return provider;
  }

  readonly resources: ResourceTypes = {
    "AWS::IAM::OIDCProvider": {
      changes: { Url: "replace", "*": "update" },
      create: (resource) => this.#create(resource),
      update: (resource) => this.#describe(resource),
      remove: ({ properties }) => {
        this.#providers.delete(issuerName(String(properties.Url)));
      },
    },
  };

  #arnOf(name: string): string {
    return globalArnOf(this.#account, "iam", `oidc-provider/${name}`);
  }

  #create(resource: Resource): Created {
    const url = String(resource.properties.Url);
    if (this.find(url) !== undefined)
      throw new Error(
        `EntityAlreadyExists: Provider with url ${url} already exists. (${resource.logicalId})`,
      );
    return this.#describe(resource);
  }

  #describe({ properties }: Resource): Created {
    const { Url, ClientIdList = [] } = properties as { Url: string; ClientIdList?: string[] };
    const { arn } = this.add(Url, ClientIdList);
    return { ref: arn, attributes: { Arn: arn } };
  }
}
