import type { Refusal } from "./rotation-ports.ts";
import type { RotationStrategy } from "./settings.ts";

/** A version of the secret, by its staging label. */
export type Label = "pending" | "current" | "previous";

/** The server's answer to each login so far. */
export type Heard = Partial<Record<Label, "accepted" | Refusal>>;

/** The next action of setSecret. */
export type NextAction =
  | { readonly kind: "log in"; readonly as: Label }
  /** In the session of the last accepted login. */
  | { readonly kind: "set own password" }
  | { readonly kind: "converge next user" }
  | { readonly kind: "ask RDS" }
  | { readonly kind: "done" }
  | { readonly kind: "give up" };

interface Plan {
  /** The logins that may set the password, in the order of trying. */
  readonly through: readonly Label[];
  readonly act: NextAction["kind"] & ("set own password" | "converge next user" | "ask RDS");
}

const PLANS: Readonly<Record<RotationStrategy, Plan>> = {
  "single-user": { through: ["current", "previous"], act: "set own password" },
  // the next user is not the current one: only its own last login can change its password
  "issuer-login": { through: ["previous"], act: "set own password" },
  "alternating-users": { through: ["current"], act: "converge next user" },
  "master-user": { through: [], act: "ask RDS" },
};

/**
 * Decide the next action from the server's answers so far. The pending login is always tried first:
 * it shows whether an earlier attempt succeeded, before anything is changed.
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
