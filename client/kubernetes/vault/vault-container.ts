import { amountOf, LEAST_MEMORY } from "../pod/quantity.ts";
import type { PodSetting } from "./vault-annotations.ts";

/** What the pod's annotations say of Vault's container, in Mayfly's. */
export type ContainerValue =
  | { readonly kind: "value"; readonly value: string | undefined }
  | { readonly kind: "refused"; readonly setting: PodSetting; readonly why: string };

type Settings = ReadonlyMap<PodSetting, string>;

const RESOURCES = {
  "agent-limits-cpu": ["limits", "cpu"],
  "agent-limits-mem": ["limits", "memory"],
  "agent-limits-ephemeral": ["limits", "ephemeral-storage"],
  "agent-requests-cpu": ["requests", "cpu"],
  "agent-requests-mem": ["requests", "memory"],
  "agent-requests-ephemeral": ["requests", "ephemeral-storage"],
} as const satisfies Partial<Record<PodSetting, readonly [string, string]>>;

/** The settings that become `resources`. */
export const RESOURCE_SETTINGS = Object.keys(RESOURCES) as readonly (keyof typeof RESOURCES)[];

/** The resources that are written, as JSON. An empty text is none. */
export function resourcesOf(settings: Settings): ContainerValue {
  const resources: Record<string, Record<string, string>> = {};
  for (const setting of RESOURCE_SETTINGS) {
    const quantity = settings.get(setting)?.trim() ?? "";
    if (quantity === "") continue;
    if (setting === "agent-limits-mem" && (amountOf(quantity) ?? LEAST_MEMORY) < LEAST_MEMORY)
      return {
        kind: "refused",
        setting,
        why: `${quantity} is too little for Mayfly's agent, which takes 80 to 100 MB; write "128Mi" or more, or remove this`,
      };
    const [of, name] = RESOURCES[setting];
    resources[of] = { ...resources[of], [name]: quantity };
  }
  const isAny = Object.keys(resources).length > 0;
  return { kind: "value", value: isAny ? JSON.stringify(resources) : undefined };
}

/** The settings that become `user`. */
export const USER_SETTINGS = [
  "agent-run-as-same-user",
  "agent-run-as-user",
  "agent-run-as-group",
] as const satisfies readonly PodSetting[];

/** Vault's own user and group, where only the other is written. */
const VAULT_USER = "100";
const VAULT_GROUP = "1000";

/**
 * User and group of the agent, as `1000:1000`.
 *
 * @param firstUser of the first container's security context.
 */
export function userOf(
  settings: Settings,
  isSameUser: boolean,
  firstUser: string | undefined,
): ContainerValue {
  const written = settings.get("agent-run-as-user")?.trim();
  const group = settings.get("agent-run-as-group")?.trim();
  if (!isSameUser && written === undefined && group === undefined)
    return { kind: "value", value: undefined };
  const setting = isSameUser ? "agent-run-as-same-user" : "agent-run-as-user";
  const user = isSameUser ? firstUser : (written ?? VAULT_USER);
  const remedy = 'write mayfly/user: "<user>:<group>", e.g. "1000:1000", and remove this';
  if (user === undefined)
    return {
      kind: "refused",
      setting,
      why: `the first container's securityContext has no runAsUser; ${remedy}`,
    };
  if (Number(user) === 0)
    return { kind: "refused", setting, why: `the agent does not run as root; ${remedy}` };
  return { kind: "value", value: `${user}:${group ?? VAULT_GROUP}` };
}
