import type { Json } from "../cloudformation/assembly.ts";

/** A policy and its owner's name for people: a role, an alias or a queue. */
export interface HeldPolicy {
  readonly holder: string;
  readonly policy: Json;
}

/** Actions of a statement that no call has used. */
export interface UnusedStatement {
  readonly holder: string;
  /** The `Sid`, or `#1` for the first statement of those without one. */
  readonly statement: string;
  readonly effect: "Allow" | "Deny";
  /**
   * For an Allow, the actions that no call needed; for a Deny that no call matched, all of them.
   */
  readonly actions: readonly string[];
}

interface Statement {
  readonly Sid?: string;
  readonly Effect: "Allow" | "Deny";
  readonly Action: string | readonly string[];
}

/** Which statements have decided a call, and for which action. */
export class PolicyUse {
  readonly #used = new WeakMap<object, Set<string>>();

  /** Remember that a statement, counted from 1, matched a call. */
  record(policy: Json, statement: number, action: string): void {
    const matched = statementsOf(policy)[statement - 1];
    if (matched === undefined) throw new Error(`the policy has no statement ${statement}`);
    const used = this.#used.get(matched) ?? new Set();
    this.#used.set(matched, used.add(action.toLowerCase()));
  }

  /** The actions of these policies that no call needed. */
  unused(policies: readonly HeldPolicy[]): readonly UnusedStatement[] {
    return policies.flatMap(({ holder, policy }) =>
      statementsOf(policy).flatMap((statement, index) => {
        const { Sid = `#${index + 1}`, Effect: effect } = statement;
        const used = this.#used.get(statement) ?? new Set();
        const all = [statement.Action].flat();
        const idle = all.filter((pattern) => !isUsed(used, pattern));
        const isIdle = effect === "Deny" ? idle.length === all.length : idle.length > 0;
        return isIdle ? [{ holder, statement: Sid, effect, actions: idle }] : [];
      }),
    );
  }
}

const statementsOf = (policy: Json): readonly Statement[] =>
  [policy.Statement].flat() as Statement[];

function isUsed(used: ReadonlySet<string>, pattern: string): boolean {
  const literal = pattern.toLowerCase().replace(/[.+^${}()|[\]\\]/g, "\\$&");
  const whole = new RegExp(`^${literal.replaceAll("*", ".*").replaceAll("?", ".")}$`);
  return [...used].some((each) => whole.test(each));
}
