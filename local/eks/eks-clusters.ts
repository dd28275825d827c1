import { createHash, randomUUID } from "node:crypto";
import { type Pod, serviceAccountSubject } from "../../core/aws/workload-identity.ts";
import { type Account, arnOf } from "../account.ts";
import type { TokenIssuer, TokenIssuers } from "../oidc/token-issuers.ts";

/** A pod that a test starts. */
export type NewPod = Pick<Pod, "namespace" | "serviceAccount"> & Partial<Pod>;

/** A cluster that issues tokens for its pods. */
export interface EksCluster {
  readonly name: string;
  readonly arn: string;
  readonly issuer: TokenIssuer;
  /**
   * The token that the kubelet would write into a file of the pod.
   *
   * @param seconds how long it is valid; 3,600 if left out.
   */
  token(pod: NewPod, audience: string, seconds?: number): Promise<string>;
}

/** The clusters of the account. Only their tokens exist. */
export class EksClusters {
  readonly #account: Account;
  readonly #issuers: TokenIssuers;
  readonly #clusters = new Map<string, EksCluster>();

  constructor(account: Account, issuers: TokenIssuers) {
    this.#account = account;
    this.#issuers = issuers;
  }

  /**
   * The cluster with this name.
   *
   * @param url of its issuer, for a cluster that is named for the first time. The default looks like
   *   those of EKS.
   */
  of(name: string, url: string = this.#defaultIssuer(name)): EksCluster {
    const known = this.#clusters.get(name);
    if (known !== undefined) return known;
    const issuer = this.#issuers.of(url);
    const cluster: EksCluster = {
      name,
      arn: arnOf(this.#account, "eks", `cluster/${name}`),
      issuer,
      token: (pod, aud, seconds) => issuer.sign({ ...claimsOf(pod), aud: [aud] }, seconds),
    };
    this.#clusters.set(name, cluster);
    return cluster;
  }

  #defaultIssuer(name: string): string {
    const id = createHash("sha256").update(name).digest("hex").slice(0, 32).toUpperCase();
    return `https://oidc.eks.${this.#account.region}.amazonaws.com/id/${id}`;
  }
}

/** As Kubernetes binds a token to a pod. */
function claimsOf(pod: NewPod): Record<string, unknown> {
  const { namespace, serviceAccount, name = `${serviceAccount}-0`, uid = randomUUID() } = pod;
  return {
    sub: serviceAccountSubject(pod),
    "kubernetes.io": {
      namespace,
      pod: { name, uid },
      serviceaccount: { name: serviceAccount, uid: randomUUID() },
    },
  };
}

/** The pod that a token is bound to. Undefined for a token that is bound to none. */
export function podIn(claims: Readonly<Record<string, unknown>>): Pod | undefined {
  const { namespace, pod, serviceaccount } = (claims["kubernetes.io"] ?? {}) as Bound;
  if (namespace === undefined || pod === undefined || serviceaccount === undefined)
    return undefined;
  return { namespace, serviceAccount: serviceaccount.name, ...pod };
}

interface Bound {
  readonly namespace?: string;
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly serviceaccount?: { readonly name: string };
}
