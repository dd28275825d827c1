import { parsedJson } from "../pod/parsed-json.ts";

/** The prefix of the annotations of Vault's injector. */
export const VAULT_PREFIX = "vault.hashicorp.com/";

/** What became of an annotation of Vault's. */
export type Became =
  | {
      readonly kind: "translated";
      /** Annotations of Mayfly's, with their prefix. */
      readonly into: readonly string[];
    }
  | { readonly kind: "not-needed"; readonly why: string }
  /** What it is, and what to do. Nothing is injected then. */
  | { readonly kind: "refused"; readonly why: string };

/** Vault's truth: strconv.ParseBool's words. Undefined: neither. */
export function truthOf(value: string): boolean | undefined {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(value)) return true;
  if (["", "0", "f", "F", "false", "FALSE", "False"].includes(value)) return false;
  return undefined;
}

/**
 * The annotations that belong to one file, by the name that follows: what says where a secret is,
 * and how it becomes a file. `agent-inject-template-file` stands before `agent-inject-template`,
 * because both begin alike.
 */
export const FILE_ANNOTATIONS = [
  "agent-inject-secret",
  "agent-inject-template-file",
  "agent-inject-template",
  "agent-inject-file",
  "agent-inject-perms",
  "agent-inject-command",
  "agent-template-left-delim",
  "agent-template-right-delim",
  "error-on-missing-key",
  "secret-volume-path",
  "preserve-secret-case",
] as const;
export type FileAnnotation = (typeof FILE_ANNOTATIONS)[number];

/** The annotations of the whole pod that say something about files or the container. */
export const POD_SETTINGS = [
  "agent-inject",
  "agent-inject-containers",
  "agent-inject-default-template",
  "agent-pre-populate-only",
  "agent-limits-cpu",
  "agent-limits-mem",
  "agent-limits-ephemeral",
  "agent-requests-cpu",
  "agent-requests-mem",
  "agent-requests-ephemeral",
  "agent-run-as-user",
  "agent-run-as-group",
  "agent-run-as-same-user",
  "agent-set-security-context",
  "preserve-secret-case",
  "secret-volume-path",
] as const;
export type PodSetting = (typeof POD_SETTINGS)[number];

const notNeeded = (why: string): Became => ({ kind: "not-needed", why });
const refused = (why: string): Became => ({ kind: "refused", why });

/** An annotation that may be switched off, which then means nothing. */
const unlessOn =
  (why: string): Rule =>
  (value) =>
    truthOf(value) === false ? notNeeded("it is switched off") : refused(why);

/** What the pod says that an annotation may depend on. */
export interface PodFacts {
  readonly serviceAccount: string;
  readonly sharesProcesses: boolean;
}

type Rule = Became | ((value: string, pod: PodFacts) => Became);

const IDENTITY = notNeeded("AWS knows the pod by its IAM role; there is no login to Vault");
const NO_SERVER = notNeeded("there is no server of Vault's; the agent calls AWS");
const CALLS = notNeeded("the agent's waits and tries are fixed");
const LOGS = notNeeded("the agent logs to stderr what it opens and writes");
const METRICS = notNeeded("it is about Vault's agent; Mayfly's has metrics of its own");
const NOTHING_KEPT = notNeeded("the agent keeps one lease for the pod, and no answers of Vault");

/** The annotations without a translation. */
const RULES: Readonly<Record<string, Rule>> = {
  "agent-inject-status": (value) =>
    value === "injected"
      ? refused("Vault's injector has changed this pod already; take the manifest as it was before")
      : notNeeded("it is a mark of Vault's injector"),
  "agent-inject-token": unlessOn(
    "there is no token to hand out; let the application use the file, the proxy or Secrets Manager's port, and remove this",
  ),
  "agent-image": notNeeded("the image is Mayfly's: mayfly/image, or --image"),
  "agent-request-namespace": notNeeded("it is a mark of Vault's injector"),
  "agent-init-first": notNeeded("the agent is the first of the init containers"),
  "agent-pre-populate": notNeeded("files are there before the application starts"),
  "agent-configmap": refused(
    "its configuration of Vault's agent is not read; translate it by the tables of docs/moving-from-vault.md, and remove this",
  ),
  "agent-extra-secret": refused(
    "nothing of Mayfly's reads it; mount the secret in the application's container if that needs it, and remove this",
  ),
  "agent-revoke-on-shutdown": notNeeded("the agent revokes its leases at SIGTERM"),
  "agent-revoke-grace": notNeeded("the agent revokes its leases at SIGTERM, after open sessions"),
  "agent-share-process-namespace": (value, { sharesProcesses }) =>
    truthOf(value) === false || sharesProcesses
      ? notNeeded("the pod's own shareProcessNamespace says it")
      : refused("write shareProcessNamespace: true into the pod's spec, and remove this"),
  "agent-service-account-token-volume-name": IDENTITY,
  role: (_value, { serviceAccount }) =>
    notNeeded(`the IAM role of the service account ${serviceAccount} says who asks`),
  "auth-type": IDENTITY,
  "auth-path": IDENTITY,
  "auth-min-backoff": CALLS,
  "auth-max-backoff": CALLS,
  "agent-auto-auth-exit-on-err": notNeeded("the agent goes on, and says so; probes notice it"),
  service: NO_SERVER,
  namespace: NO_SERVER,
  "proxy-address": NO_SERVER,
  "tls-skip-verify": NO_SERVER,
  "tls-secret": NO_SERVER,
  "tls-server-name": NO_SERVER,
  "ca-cert": NO_SERVER,
  "ca-key": NO_SERVER,
  "client-cert": NO_SERVER,
  "client-key": NO_SERVER,
  "client-max-retries": CALLS,
  "client-timeout": CALLS,
  "go-max-procs": notNeeded("the agent is no program of Go"),
  "log-level": LOGS,
  "log-format": LOGS,
  "agent-cache-enable": NOTHING_KEPT,
  "agent-cache-use-auto-auth-token": unlessOn(
    "Vault's API is not on the loopback; let the application use the file, the proxy or Secrets Manager's port, and remove this",
  ),
  "agent-cache-listener-port": NOTHING_KEPT,
  "agent-cache-exit-on-err": NOTHING_KEPT,
  "agent-copy-volume-mounts": notNeeded("the agent reads no volume but its own"),
  "template-config-exit-on-retry-failure": notNeeded(
    "the agent keeps what it has written, and says what fails",
  ),
  "template-static-secret-render-interval": notNeeded(
    "the agent reads a rotated secret about every 30 minutes",
  ),
  "template-max-connections-per-host": CALLS,
  "template-lease-renewal-threshold": notNeeded("the agent knows when to renew"),
  "agent-enable-quit": notNeeded(
    "a native sidecar ends with its Job; the application need not call it any more",
  ),
  "agent-disable-idle-connections": CALLS,
  "agent-disable-keep-alives": CALLS,
  "agent-json-patch": patchRule,
  "agent-init-json-patch": patchRule,
  "agent-metrics-listener-port": METRICS,
};

/** Families without a translation, by their beginning. */
const FAMILIES: Readonly<Record<string, Became>> = {
  "auth-config-": IDENTITY,
  "agent-telemetry-": METRICS,
};

/** Patches that say only what the container has anyway are common: a cluster may want them. */
function patchRule(value: string): Became {
  if (value.trim() === "") return notNeeded("it is empty");
  const { value: patch, fault } = parsedJson(value);
  if (fault !== undefined) return refused(`it is no JSON (${fault}); correct it, or remove this`);
  return isSeccompPatch(patch)
    ? notNeeded("the agent's container has this seccomp profile")
    : refused(
        "it changes a container of Vault's; write mayfly/resources or mayfly/user, or patch the result, and remove this",
      );
}

const isSeccompPatch = (patch: unknown): boolean =>
  Array.isArray(patch) &&
  patch.every((each: unknown) => {
    const { op, path, value } = (each ?? {}) as Readonly<Record<string, unknown>>;
    const { type } = (value ?? {}) as Readonly<Record<string, unknown>>;
    return (
      (op === "add" || op === "replace") &&
      path === "/securityContext/seccompProfile" &&
      type === "RuntimeDefault"
    );
  });

/** Where an annotation belongs. */
export type VaultAnnotation =
  | { readonly kind: "file"; readonly annotation: FileAnnotation; readonly name: string }
  | { readonly kind: "setting"; readonly setting: PodSetting }
  | { readonly kind: "ruled"; readonly became: (pod: PodFacts) => Became };

/** @param name without the prefix. */
export function annotationOf(name: string, value: string): VaultAnnotation {
  const setting = POD_SETTINGS.find((each) => each === name);
  if (setting !== undefined) return { kind: "setting", setting };
  const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined;
  if (rule !== undefined)
    return {
      kind: "ruled",
      became: (pod) => (typeof rule === "function" ? rule(value.trim(), pod) : rule),
    };
  const annotation = FILE_ANNOTATIONS.find((each) => name.startsWith(`${each}-`));
  if (annotation !== undefined)
    return { kind: "file", annotation, name: name.slice(annotation.length + 1) };
  const [, family] = Object.entries(FAMILIES).find(([start]) => name.startsWith(start)) ?? [];
  return {
    kind: "ruled",
    became: () =>
      family ??
      refused("this annotation of Vault's injector is not known here; remove it, or correct it"),
  };
}
