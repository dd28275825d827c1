import type { Refusal } from "./rotation-ports.ts";
import type { RotationStrategy } from "./settings.ts";

/** A version of the secret, by its staging label. */
export type Label = "pending" | "current" | "previous";

/** What the server said to each login so far. */
export type Heard = Partial<Record<Label, "accepted" | Refusal>>;

/** What setSecret does next. */
export type NextAction =
  | { readonly kind: "log in"; readonly as: Label }
  /** In the session that was let in last. */
  | { readonly kind: "set own password" }
  | { readonly kind: "converge next user" }
  | { readonly kind: "ask RDS" }
  | { readonly kind: "done" }
  | { readonly kind: "give up" };

interface Plan {
  /** Whose login may set the password, in the order in which they are tried. */
  readonly through: readonly Label[];
  readonly act: NextAction["kind"] & ("set own password" | "converge next user" | "ask RDS");
}

const PLANS: Readonly<Record<RotationStrategy, Plan>> = {
  "single-user": { through: ["current", "previous"], act: "set own password" },
  // the user of the next turn is not the current one: only its own last login can change it
  "issuer-login": { through: ["previous"], act: "set own password" },
  "alternating-users": { through: ["current"], act: "converge next user" },
  "master-user": { through: [], act: "ask RDS" },
};

/**
 * Given what the server said so far, what to do next. The pending login is tried first, always: it
 * tells whether an earlier attempt got through, and only then is anything changed.
 */
export function decideSetSecret(strategy: RotationStrategy, heard: Heard): NextAction {
  if (heard.pending === undefined) return { kind: "log in", as: "pending" };
  if (heard.pending === "accepted") return { kind: "done" };
  const { through, act } = PLANS[strategy];
  if (through.length === 0) return { kind: act };
  for (const label of through) {
    if (heard[label] === "accepted") return { kind: act };
    if (heard[label] === undefined) return { kind: "log in", as: label };
  }
  return { kind: "give up" };
}
