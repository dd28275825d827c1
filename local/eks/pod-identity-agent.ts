import { randomUUID } from "node:crypto";
import {
  POD_ACTIONS,
  POD_IDENTITY_AUDIENCE,
  PODS_SERVICE,
  type Pod,
  podTags,
} from "../../core/aws/workload-identity.ts";
import type { Account } from "../account.ts";
import type { Clock } from "../clock.ts";
import { AwsError } from "../http/aws-error.ts";
import { type ApiReply, jsonReply, type UnsignedService } from "../http/protocols.ts";
import type { RawRequest } from "../http/request-schema.ts";
import type { Session } from "../iam/identity.ts";
import { keysOf, type ServiceRoles } from "../iam/service-roles.ts";
import { claimsIn, expiry, type TokenCheck } from "../oidc/token-check.ts";
import { type EksCluster, type EksClusters, podIn } from "./eks-clusters.ts";
import type { PodIdentityAssociations } from "./pod-identity-associations.ts";

interface AgentOptions {
  readonly account: Account;
  readonly associations: PodIdentityAssociations;
  readonly clock: Clock;
  readonly clusters: EksClusters;
  readonly roles: ServiceRoles;
  readonly tokens: TokenCheck;
}

const PATH = /^\/eks\/(?<cluster>[^/]+)\/v1\/credentials$/;

/** The path of a cluster's agent. On a node it is `http://169.254.170.23/v1/credentials`. */
export const agentPath = (cluster: string): string => `/eks/${cluster}/v1/credentials`;

/** A refusal of the agent itself. */
const refused = (message: string): AwsError => new AwsError("BadRequest", message, { status: 400 });

/** A refusal of EKS Auth, as the agent passes it on. */
const authError = (code: string, message: string, status = 400): AwsError =>
  new AwsError(code, `[${randomUUID()}]: (${code}): ${message}, fault: client`, { status });

/** EKS's Pod Identity agent on a node of each cluster, and EKS Auth behind it. */
export class PodIdentityAgent implements UnsignedService {
  readonly #options: AgentOptions;

  constructor(options: AgentOptions) {
    this.#options = options;
  }

  answers({ url: { pathname } }: RawRequest): boolean {
    return PATH.test(pathname);
  }

  async answer({ url: { pathname }, headers }: RawRequest): Promise<ApiReply> {
    const { clusters, account } = this.#options;
    const { cluster = "" } = PATH.exec(pathname)?.groups ?? {};
    const session = await this.#sessionOf(clusters.of(cluster), headers.authorization ?? "");
    return jsonReply({ ...keysOf(session), AccountId: account.id });
  }

  refuse({ message, status }: AwsError): ApiReply {
    return {
      status: status ?? 400,
      headers: { "content-type": "text/plain; charset=utf-8" },
      body: `${message}\n`,
    };
  }

  async #sessionOf(cluster: EksCluster, token: string): Promise<Session> {
    const { account, associations, roles } = this.#options;
    const pod = await this.#podOf(cluster, token);
    const association = associations.find(cluster.name, pod);
    if (association === undefined)
      throw authError(
        "ResourceNotFoundException",
        "The token included in the request has no service account role association for it.",
        404,
      );
    const tags = association.tagsSessions ? podTags(cluster, pod) : {};
    const role = roles.find(association.roleArn);
    const session =
      role &&
      (await roles.assume(role, {
        service: PODS_SERVICE,
        actions: association.tagsSessions ? POD_ACTIONS : ["sts:AssumeRole"],
        context: {
          "aws:SourceAccount": account.id,
          "aws:SourceArn": cluster.arn,
          ...Object.fromEntries(
            Object.entries(tags).map(([name, value]) => [`aws:RequestTag/${name}`, value]),
          ),
        },
        name: `eks-${cluster.name}-${pod.name}-${randomUUID()}`.slice(0, 64),
        tags,
      }));
    if (session !== undefined) return session;
    throw authError(
      "AccessDeniedException",
      "Unauthorized Exception! EKS does not have permissions to assume the associated role.",
    );
  }

  /** The pod that shows a token. @throws AwsError if it is no token of this cluster, or too old. */
  async #podOf({ issuer }: EksCluster, token: string): Promise<Pod> {
    const { clock, tokens } = this.#options;
    if (token === "") throw refused("Service account token cannot be empty");
    const claims = claimsIn(token);
    if (claims === undefined)
      throw refused("Service account token cannot be parsed: token is malformed");
    if (expiry(claims, clock) !== undefined)
      throw refused("Service account token failed basic claim validations: token is expired");
    const isOurs =
      [claims.aud].flat().includes(POD_IDENTITY_AUDIENCE) &&
      (await tokens.signature(token, issuer.url)) === "valid";
    const pod = podIn(claims);
    if (isOurs && pod !== undefined) return pod;
    throw authError("InvalidTokenException", "The token included in the request is invalid.");
  }
}
