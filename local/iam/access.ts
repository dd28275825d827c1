import { type RequestAnalysis, runSimulation } from "@cloud-copilot/iam-simulate";
import type { Account } from "../account.ts";
import { AwsError, validationError } from "../http/aws-error.ts";
import type { PolicyDocument, Role, Session } from "./identity.ts";
import { PolicyUse } from "./policy-use.ts";
import { withKnownKeys } from "./token-keys.ts";

/** One decision of the policies. */
export interface AccessDecision {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** The role's ARN, or the name of an AWS service. */
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  readonly decision: "Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied";
}

/** An action to decide about. */
export interface AccessRequest {
  /** e.g. `lambda:InvokeFunction`. */
  readonly action: string;
  readonly resource: string;
  /** The resource's own policy, if it has one. */
  readonly policy?: PolicyDocument | undefined;
  /** Condition keys beyond the principal's. */
  readonly context?: Readonly<Record<string, string>>;
}

/** Somebody who takes a role. */
export interface Assumption {
  /** An AWS service, or the ARN of an OIDC provider. */
  readonly principal: string;
  /** e.g. `sts:AssumeRole`. */
  readonly action: string;
  readonly context: Readonly<Record<string, string>>;
}

interface Verdict {
  readonly decision: AccessDecision["decision"];
  /** The decision of the principal's own policies alone, without the resource's policy. */
  readonly identity: AccessDecision["decision"] | undefined;
}

type Simulation = Parameters<typeof runSimulation>[0];
type SimulationResult = ReturnType<typeof runSimulation>;

/** Results that are kept: calls for a resource of their own, as a schedule, do not come again. */
const MOST_RESULTS = 1_000;

/** The simulation's error for a resource that does not fit the action. */
const NOT_OF_THE_ACTION: readonly (string | undefined)[] = [
  "no.resource.types",
  "multiple.resource.types",
];

/** Evaluates the template's policies on every call. */
export class Access {
  readonly #account: Account;
  readonly decisions: AccessDecision[] = [];
  /** The statements that decided. */
  readonly use = new PolicyUse();

  /** By what was simulated, policies and all: a simulation takes milliseconds. */
  readonly #results = new Map<string, SimulationResult>();

  constructor(account: Account) {
    this.#account = account;
  }

  /**
   * Decide whether a session may do it.
   *
   * @throws AwsError `AccessDeniedException`, in AWS's words; `ValidationException` if the resource
   *   is malformed or of another kind.
   * @throws Error if the policies cannot be evaluated: an error of the template or the runner.
   */
  async authorize(session: Session, request: AccessRequest): Promise<void> {
    const { action, resource } = request;
    const { decision, identity } = await this.#decide(session.arn, request, session);
    if (decision === "Allowed") return;
    const kind = identity === undefined || identity === decision ? "identity" : "resource";
    const why =
      decision === "ExplicitlyDenied"
        ? `with an explicit deny in ${kind === "identity" ? "an" : "a"} ${kind}-based policy`
        : `because no ${kind}-based policy allows the ${action} action`;
    throw new AwsError(
      "AccessDeniedException",
      `User: ${session.arn} is not authorized to perform: ${action} on resource: ${resource} ${why}`,
    );
  }

  /** Whether a role's trust policy lets an AWS service assume it. */
  trusts(role: Role, service: string, context: Record<string, string> = {}): Promise<boolean> {
    return this.trustAllows(role, { principal: service, action: "sts:AssumeRole", context });
  }

  /** Whether a role's trust policy lets a service, or a provider of tokens, do this with it. */
  async trustAllows(role: Role, { principal, action, context }: Assumption): Promise<boolean> {
    const known = withKnownKeys(role.trust, context, principal);
    const request = { action, resource: role.arn, policy: known.policy, context: known.context };
    return (await this.#decide(principal, request, undefined, role.trust)).decision === "Allowed";
  }

  /**
   * Decide whether the resource's own policy lets an AWS service do it.
   *
   * @throws AwsError `AccessDeniedException`.
   */
  async authorizeService(service: string, request: AccessRequest): Promise<void> {
    const { decision } = await this.#decide(service, request);
    if (decision === "Allowed") return;
    throw new AwsError(
      "AccessDeniedException",
      `${service} is not authorized to perform: ${request.action} on resource: ${request.resource}`,
    );
  }

  /** @param written the resource's policy as the template has it, if `request` has another text. */
  async #decide(
    principal: string,
    request: AccessRequest,
    session?: Pick<Session, "role" | "tags">,
    written: PolicyDocument | undefined = request.policy,
  ): Promise<Verdict> {
    const { action, resource, policy, context } = request;
    const role = session?.role;
    const result = await this.#simulate({
      request: {
        principal,
        action,
        resource: { resource, accountId: this.#account.id },
        contextVariables: { ...this.#contextOf(session), ...context },
      },
      identityPolicies: [...(role?.policies ?? [])],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(policy !== undefined && { resourcePolicy: policy }),
    });
    if (result.resultType === "error" && NOT_OF_THE_ACTION.includes(result.errors.message))
      throw validationError(`${resource} is no resource of ${action}`);
    if (result.resultType === "error")
      throw new Error(
        `the policies cannot decide ${action} on ${resource} for ${principal}: ${JSON.stringify(result.errors)}`,
      );
    this.decisions.push({
      at: new Date().toISOString(),
      principal: role?.arn ?? principal,
      action,
      resource,
      decision: result.overallResult,
    });
    const analysis = result.resultType === "single" ? result.result.analysis : undefined;
    this.#recordUse(analysis, { action, policy: written }, role);
    return { decision: result.overallResult, identity: analysis?.identityAnalysis?.result };
  }

  #simulate(simulation: Simulation): SimulationResult {
    const key = JSON.stringify(simulation);
    const known = this.#results.get(key);
    if (known !== undefined) return known;
    if (this.#results.size >= MOST_RESULTS) this.#results.clear();
    const result = runSimulation(simulation, {});
    this.#results.set(key, result);
    return result;
  }

  #recordUse(
    analysis: RequestAnalysis | undefined,
    { action, policy }: Pick<AccessRequest, "action" | "policy">,
    role: Role | undefined,
  ): void {
    const { identityAnalysis: own, resourceAnalysis: its } = analysis ?? {};
    for (const { policyId, statement } of decisive(own)) {
      const found = role?.policies.find(({ name }) => name === policyId);
      if (found !== undefined) this.use.record(found.policy, statement.index(), action);
    }
    if (policy === undefined) return;
    for (const { statement } of decisive(its)) this.use.record(policy, statement.index(), action);
  }

  #contextOf(session: Pick<Session, "role" | "tags"> | undefined): Record<string, string> {
    if (session === undefined) return {};
    const { role, tags } = session;
    return {
      ...Object.fromEntries(
        Object.entries(tags).map(([name, value]) => [`aws:PrincipalTag/${name}`, value]),
      ),
      // for an assumed role, AWS uses the role's ARN here, not the session's
      "aws:PrincipalArn": role.arn,
      "aws:PrincipalAccount": this.#account.id,
      "aws:PrincipalType": "AssumedRole",
      "aws:RequestedRegion": this.#account.region,
      "aws:SecureTransport": "true",
    };
  }
}

/** The statements that matched. If one of them is a Deny, only the Deny decides. */
const decisive = (
  analysis: RequestAnalysis["identityAnalysis"] | RequestAnalysis["resourceAnalysis"],
) =>
  analysis?.denyStatements.length ? analysis.denyStatements : (analysis?.allowStatements ?? []);
