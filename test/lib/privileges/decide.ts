import { runSimulation } from "@cloud-copilot/iam-simulate";
import { withKnownKeys } from "../../../local/iam/token-keys.ts";
import { ACCOUNT, REGION } from "../resolved.ts";

/** A statement of a policy, its references resolved. */
export interface Statement {
  readonly Sid?: string;
  readonly Effect: "Allow" | "Deny";
  readonly Action?: string | readonly string[];
  readonly NotAction?: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly NotResource?: string | readonly string[];
  readonly NotPrincipal?: unknown;
  readonly Principal?: string | Readonly<Record<string, string | readonly string[]>>;
  readonly Condition?: object;
}

export type Decision = "Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied";

/** A call, and every statement that may decide it. */
export interface Call {
  /** A role's ARN, a service's name, or the ARN of an identity provider. */
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  readonly identity: readonly Statement[];
  readonly resourcePolicy?: readonly Statement[] | undefined;
  readonly boundary?: readonly Statement[] | undefined;
  readonly endpoint?: readonly Statement[] | undefined;
  readonly context?: Readonly<Record<string, string>>;
}

/** Every value of an element that is a text or a list. */
export const listOf = (element: string | readonly string[] | undefined): readonly string[] =>
  [element ?? []].flat();

const escaped = (text: string): string => text.replace(/[.+^${}()|[\]\\]/g, "\\$&");
const patterns = new Map<string, RegExp>();

/** Whether a text is what a pattern with `*` and `?` means. */
export function isLike(text: string, pattern: string): boolean {
  const known = patterns.get(pattern);
  const regex =
    known ?? new RegExp(`^${escaped(pattern).replaceAll("*", ".*").replaceAll("?", ".")}$`, "i");
  if (known === undefined) patterns.set(pattern, regex);
  return regex.test(text);
}

/** The statements that are about an action. IAM ignores all others, and simulating them takes time. */
const about = (statements: readonly Statement[], action: string): readonly Statement[] =>
  statements.filter(({ Action, NotAction }) => {
    const named = listOf(NotAction ?? Action).some((pattern) => isLike(action, pattern));
    return named === (NotAction === undefined);
  });

/** The elements of a statement that name what it is not about. */
export const exceptionsOf = (statement: object): readonly string[] =>
  Object.keys(statement).filter((element) => /^Not[A-Z]/.test(element));

const asPolicy = (statements: readonly Statement[]) => ({
  Version: "2012-10-17",
  Statement: statements,
});

const named = (name: string, statements: readonly Statement[]) =>
  statements.length === 0 ? [] : [{ name, policy: asPolicy(statements) }];

const known = new Map<string, Promise<Decision>>();

/** What IAM decides of a call. @throws Error if it cannot be simulated. */
export function decide(call: Call): Promise<Decision> {
  const { action, resourcePolicy } = call;
  const identity = about(call.identity, action);
  const its = about(resourcePolicy ?? [], action);
  if (identity.length === 0 && its.length === 0) return Promise.resolve("ImplicitlyDenied");
  // without its trust policy, nobody takes a role, whatever their own policies allow
  if (action.startsWith("sts:") && its.length === 0) return Promise.resolve("ImplicitlyDenied");
  const relevant = { ...call, identity, resourcePolicy: its };
  const key = JSON.stringify(relevant);
  const decided = known.get(key) ?? simulate(relevant);
  known.set(key, decided);
  return decided;
}

async function simulate(call: Call): Promise<Decision> {
  const { principal, action, resource, identity, resourcePolicy = [], context } = call;
  // the simulation knows the claims of a few issuers only
  const trust = withKnownKeys(asPolicy(resourcePolicy), context ?? {}, principal);
  const isRole = principal.includes(":role/");
  const [, , , , account = ""] = resource.split(":");
  const result = await runSimulation(
    {
      request: {
        principal,
        action,
        resource: { resource, accountId: account === "" ? ACCOUNT : account },
        contextVariables: {
          ...(isRole && {
            "aws:PrincipalArn": principal,
            "aws:PrincipalAccount": principal.split(":")[4] ?? "",
          }),
          "aws:SecureTransport": "true",
          "aws:RequestedRegion": REGION,
          ...trust.context,
        },
      },
      identityPolicies: named("identity", identity),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(resourcePolicy.length > 0 && { resourcePolicy: trust.policy }),
      ...(call.boundary && { permissionBoundaryPolicies: named("boundary", call.boundary) }),
      ...(call.endpoint && { vpcEndpointPolicies: named("endpoint", call.endpoint) }),
    },
    {},
  );
  if (result.resultType === "error")
    throw new Error(`${action} on ${resource}: ${JSON.stringify(result.errors)}`);
  return result.overallResult;
}
