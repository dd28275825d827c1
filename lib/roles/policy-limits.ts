import { Stack } from "aws-cdk-lib";
import { CfnManagedPolicy, CfnPolicy, CfnRole, type IRole } from "aws-cdk-lib/aws-iam";
import type { IConstruct } from "constructs";
import { policyLength } from "../identity/policy-length.ts";

/** Characters of all inline policies of a role (IAM User Guide, "IAM and AWS STS quotas"). */
const INLINE_CHARACTERS = 10_240;
/** Managed policies of a role. AWS may raise this one, but forty databases do not need it. */
const MANAGED_POLICIES = 10;

const REMEDY = "give some of its roles and secrets to a consumer with another role";

/** The roles to look at, by the root of their app. */
const watched = new WeakMap<IConstruct, Set<IRole>>();

/**
 * At synthesis, count everything that the app attaches to a role: what is too much would fail at
 * deployment. What an imported role has already is not known.
 */
export function watchPolicyLimits(role: IRole): void {
  const { root } = role.node;
  const known = watched.get(root);
  if (known !== undefined) {
    known.add(role);
    return;
  }
  const roles = new Set([role]);
  watched.set(root, roles);
  root.node.addValidation({ validate: () => excessesIn(root, roles) });
}

/** What a role has, by its key. */
class Attached {
  readonly #inline = new Map<string, number>();
  readonly #managed = new Map<string, number>();

  constructor(root: IConstruct) {
    for (const each of root.node.findAll()) {
      if (each instanceof CfnPolicy) this.#add(this.#inline, each, each.policyDocument);
      if (each instanceof CfnManagedPolicy) this.#add(this.#managed, each);
    }
  }

  #add(counts: Map<string, number>, policy: CfnPolicy | CfnManagedPolicy, document?: unknown) {
    const stack = Stack.of(policy);
    const names = (stack.resolve(policy.roles) ?? []) as readonly unknown[];
    const amount = document === undefined ? 1 : policyLength(stack, document);
    for (const key of names.map((name) => keyOf(stack, name)))
      counts.set(key, (counts.get(key) ?? 0) + amount);
  }

  of(role: IRole): { readonly characters: number; readonly managed: number } {
    const stack = Stack.of(role);
    const key = keyOf(stack, stack.resolve(role.roleName));
    const { defaultChild: own } = role.node;
    const { policies = [], managedPolicyArns = [] } =
      own instanceof CfnRole
        ? (stack.resolve({
            policies: own.policies,
            managedPolicyArns: own.managedPolicyArns,
          }) as Readonly<Record<string, readonly { readonly policyDocument?: unknown }[]>>)
        : {};
    const inline = policies.map(({ policyDocument }) => policyLength(stack, policyDocument ?? {}));
    return {
      characters: inline.reduce((sum, length) => sum + length, this.#inline.get(key) ?? 0),
      managed: managedPolicyArns.length + (this.#managed.get(key) ?? 0),
    };
  }
}

/** The same text for one role, which several stacks of an account may have imported. */
const keyOf = (stack: Stack, name: unknown): string =>
  typeof name === "string"
    ? `${stack.account}/${name}`
    : `${stack.node.addr}/${JSON.stringify(name)}`;

function excessesIn(root: IConstruct, roles: ReadonlySet<IRole>): string[] {
  const attached = new Attached(root);
  return [...roles].flatMap((role) => {
    const { path } = role.node;
    const { characters, managed } = attached.of(role);
    return [
      ...(characters > INLINE_CHARACTERS
        ? [
            `${path}: its inline policies have ${characters} characters, and IAM allows a role ${INLINE_CHARACTERS}; ${REMEDY}`,
          ]
        : []),
      ...(managed > MANAGED_POLICIES
        ? [
            `${path}: it has ${managed} managed policies, and IAM allows a role ${MANAGED_POLICIES}; ${REMEDY}`,
          ]
        : []),
    ];
  });
}
