import { broken, type Found, unclear } from "../found.ts";
import type { IdentityFacts, TrustCondition, TrustStatement } from "./identity-facts.ts";
import { roleNameIn } from "./role-arn.ts";
import {
  type Answer,
  answerOf,
  conditionInWords,
  type Denial,
  denialsIn,
  isAbout,
  isForEverybody,
  isNegated,
  type RequestKeys,
} from "./trust-conditions.ts";
import { works } from "./workload.ts";

/** A service that takes a role, and tags its sessions. */
export interface SessionService {
  /** The principal, e.g. `pods.eks.amazonaws.com`. */
  readonly service: string;
  /** All that the trust policy must allow it. */
  readonly actions: readonly string[];
  /** Who says what the conditions are about, in words. */
  readonly speaker: string;
  /** The role's ARN, or what stands for it. */
  readonly role: string;
  /** The workload, in words. */
  readonly workload: string;
  /** What STS sees when the service takes the role. */
  readonly request: RequestKeys;
  /** The whole statement that lets in this workload alone, as JSON. */
  readonly statement: string;
}

const inPolicy = ({ role }: SessionService, what: string): string =>
  `in the trust policy of ${roleNameIn(role)}, ${what}`;

/** Why a trust policy does not let a service take the role, or may not. Empty: it does. */
export function sessionTrustFlaws(
  facts: IdentityFacts,
  statements: readonly TrustStatement[],
  session: SessionService,
): readonly Found[] {
  const { service, actions, role, request, statement } = session;
  const its = statements.filter(
    (each) =>
      isForEverybody(each) ||
      each.principals.some(({ type, value }) => type === "Service" && value === service),
  );
  const allowed = its.filter(({ effect }) => effect === "Allow");
  if (allowed.length === 0)
    return [
      broken(
        role,
        `its trust policy does not name ${service}`,
        inPolicy(session, `add the statement ${statement}`),
      ),
    ];
  const missing = actions.filter((action) => !allowed.some((each) => isAbout(each, action)));
  if (missing.length > 0)
    return [
      broken(
        role,
        `its trust policy allows ${service} no ${missing.join(" and no ")}`,
        inPolicy(session, `set "Action": ${JSON.stringify(actions)} for ${service}`),
      ),
    ];
  const best = actions.map((action) => bestFor(action, allowed, request));
  const wrong = unique(best.flatMap(({ unmet }) => unmet));
  if (wrong.length > 0) return wrong.map((condition) => unmetCondition(condition, session));
  if (works(facts)) return [];
  const denials = denialsIn(
    its.filter((each) => actions.some((action) => isAbout(each, action))),
    request,
  );
  const undecided = unique([
    ...best.flatMap(({ unknown }) => unknown),
    ...denials.flatMap((each) => each.undecided),
  ]);
  return refusalsOf(denials, undecided, session);
}

/** What stands between a request and a statement. */
interface Hindrance {
  readonly unmet: readonly TrustCondition[];
  readonly unknown: readonly TrustCondition[];
}

/** That of the statement that fits best: AWS takes any. */
function bestFor(
  action: string,
  allowed: readonly TrustStatement[],
  request: RequestKeys,
): Hindrance {
  const [first, ...others] = allowed
    .filter((each) => isAbout(each, action))
    .map(({ conditions }): Hindrance => {
      const of = (answer: Answer) =>
        conditions.filter((each) => answerOf(each, request) === answer);
      return { unmet: of("unmet"), unknown: of("unknown") };
    });
  const weight = ({ unmet, unknown }: Hindrance): number => unmet.length * 100 + unknown.length;
  const none: Hindrance = { unmet: [], unknown: [] };
  return others.reduce((a, b) => (weight(b) < weight(a) ? b : a), first ?? none);
}

const unique = (conditions: readonly TrustCondition[]): readonly TrustCondition[] => [
  ...new Map(conditions.map((each) => [conditionInWords(each), each])).values(),
];

function unmetCondition(condition: TrustCondition, session: SessionService): Found {
  const { key, operator, values } = condition;
  const is = session.request(key)?.join(", ") || "none";
  const add = `add the statement ${session.statement}`;
  return broken(
    session.role,
    `its trust policy wants ${key} ${values.join(" or ")} (${operator}); ${session.speaker} says ${is}`,
    inPolicy(
      session,
      isNegated(condition)
        ? `leave that statement, and ${add}`
        : `set ${key} to ${is}; if the statement is another workload's, leave it and ${add}`,
    ),
  );
}

/** What denies the request, and what may. */
function refusalsOf(
  denials: readonly Denial[],
  undecided: readonly TrustCondition[],
  session: SessionService,
): readonly Found[] {
  const { service, actions, role, workload } = session;
  const certain = denials.find((each) => each.undecided.length === 0);
  if (certain !== undefined)
    return [
      broken(
        role,
        `a statement of its trust policy denies ${actions.join(" or ")} to ${service}: ${certain.statement.conditions.map(conditionInWords).join(" and ") || "it has no condition"}`,
        inPolicy(
          session,
          `let that statement with "Effect": "Deny" no longer fit ${workload}, and keep it for others`,
        ),
      ),
    ];
  return undecided.map((condition) =>
    unclear(
      role,
      `its trust policy has a condition that cannot be decided here: ${conditionInWords(condition)}`,
      "compare it with what CloudTrail has of the refused call, and leave it there: it keeps others out",
    ),
  );
}
