import type { PodFact, ServiceAccountFact } from "../../../core/doctor/identity/identity-facts.ts";
import { ROLE_ANNOTATION } from "../../../core/doctor/identity/workload.ts";
import type { Instant } from "../../../core/time.ts";
import { type Fields, fieldsOf, listOf, textOf } from "./documents.ts";

/** An ISO 8601 time. */
export function instantIn(value: unknown): Instant | undefined {
  const at = typeof value === "number" ? value * 1_000 : Date.parse(textOf(value) ?? "");
  return Number.isNaN(at) ? undefined : (at as Instant);
}

const annotationsOf = (metadata: Fields): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(fieldsOf(metadata.annotations)).flatMap(([key, value]) =>
      typeof value === "string" ? [[key, value]] : [],
    ),
  );

export function serviceAccountIn(document: Fields): ServiceAccountFact {
  const metadata = fieldsOf(document.metadata);
  const annotatedAt = writtenAt(metadata);
  const createdAt = instantIn(metadata.creationTimestamp);
  return {
    namespace: textOf(metadata.namespace) ?? "default",
    name: textOf(metadata.name) ?? "",
    annotations: annotationsOf(metadata),
    ...(annotatedAt !== undefined && { annotatedAt }),
    ...(createdAt !== undefined && { createdAt }),
  };
}

/** When the role's annotation was last written, of those who say that they did. */
function writtenAt({ managedFields }: Fields): Instant | undefined {
  const times = listOf(managedFields).flatMap((each) => {
    const { fieldsV1, time } = fieldsOf(each);
    const owned = fieldsOf(fieldsOf(fieldsOf(fieldsV1)["f:metadata"])["f:annotations"]);
    const at = `f:${ROLE_ANNOTATION}` in owned ? instantIn(time) : undefined;
    return at === undefined ? [] : [at];
  });
  return times.length === 0 ? undefined : (Math.max(...times) as Instant);
}

/** Pod templates by the kinds that have one: the path to it. */
const TEMPLATES: ReadonlyMap<string, readonly string[]> = new Map([
  ...["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"].map(
    (kind): [string, string[]] => [kind, ["spec", "template"]],
  ),
  ["CronJob", ["spec", "jobTemplate", "spec", "template"]],
]);

/** A pod, or the template of one. Undefined for another kind. */
export function podIn(document: Fields): PodFact | undefined {
  const { kind } = document;
  if (kind === "Pod") return podOf(document, fieldsOf(document.metadata), true);
  const path = TEMPLATES.get(String(kind));
  if (path === undefined) return undefined;
  const template = path.reduce<Fields>((at, key) => fieldsOf(at[key]), document);
  return podOf(template, fieldsOf(document.metadata), false);
}

function podOf({ metadata, spec }: Fields, owner: Fields, isPod: boolean): PodFact {
  const { containers, initContainers, serviceAccountName } = fieldsOf(spec);
  const createdAt = instantIn(owner.creationTimestamp);
  return {
    namespace: textOf(owner.namespace) ?? "default",
    name: textOf(owner.name) ?? "",
    serviceAccount: textOf(serviceAccountName) ?? "default",
    // a manifest has the same kind, and no time
    isRunning: isPod && createdAt !== undefined,
    ...(isPod && createdAt !== undefined && { createdAt }),
    annotations: annotationsOf(fieldsOf(metadata)),
    containers: [...listOf(containers), ...listOf(initContainers)].map(containerIn),
  };
}

/** Of these it is told that they are there. */
const SECRET = /KEY|TOKEN$/;

function containerIn(value: unknown): PodFact["containers"][number] {
  const { name, env } = fieldsOf(value);
  const variables = listOf(env).flatMap((each) => {
    const { name: variable, value: text } = fieldsOf(each);
    const key = textOf(variable);
    if (key === undefined || !key.startsWith("AWS_")) return [];
    const shown = SECRET.test(key) ? shownKey(text) : (textOf(text) ?? "set");
    return [[key, shown] as const];
  });
  return { name: textOf(name) ?? "", variables: Object.fromEntries(variables) };
}

/** Its first letters say whose key it is. From a secret of Kubernetes it is a user's. */
const shownKey = (text: unknown): string => (textOf(text) ?? "AKIA").slice(0, 4);
