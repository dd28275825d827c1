import { isDeepStrictEqual } from "node:util";
import { leaseVariable } from "../../../core/names.ts";
import { ALIAS_ARN } from "../../keeper/sources/issuer.ts";
import { listIn, type Made, mapIn, textIn, type WrittenMap } from "../manifest/written.ts";
import { PREFIX } from "./annotations.ts";
import type { PodContainer } from "./pod.ts";
import { type ReportAnnotation, shown } from "./read-annotations.ts";
import type { WantedAgent, WantedLogin } from "./wanted.ts";

export interface LeaseSources {
  readonly arns: ReadonlyMap<string, string>;
  /** Entries of the agent's environment. */
  readonly variables: readonly Made[];
}

/** Where the ARNs of leases come from: annotations, or the variables of a container. */
export function leaseSources(
  { logins }: WantedAgent,
  containers: readonly PodContainer[],
  report: ReportAnnotation,
): LeaseSources {
  const arns = new Map<string, string>();
  const variables = new Map<string, Made>();
  for (const login of logins.filter(({ kind }) => kind === "lease")) {
    const own = leaseVariable(login.name);
    if (ALIAS_ARN.test(login.source)) arns.set(login.name, login.source);
    else if (variables.has(own))
      report(
        `${PREFIX}lease-${login.name}`,
        `its variable would be ${own}, as another login's; choose a name that differs in letters or digits`,
      );
    else {
      const found = entryFor(login, containers, report);
      if (found !== undefined) variables.set(own, { ...found, name: own });
    }
  }
  return { arns, variables: [...variables.values()] };
}

function entryFor(
  { name, source }: WantedLogin,
  containers: readonly PodContainer[],
  report: ReportAnnotation,
): { readonly [key: string]: Made } | undefined {
  const annotation = `${PREFIX}lease-${name}`;
  if (!/^[a-z0-9-]+\/[a-z0-9-]+$/.test(source)) {
    report(
      annotation,
      `${shown(source)} is neither the ARN of an alias nor database/role; write arn:aws:lambda:<region>:<account>:function:<name>:<alias>`,
    );
    return undefined;
  }
  const variable = leaseVariable(source);
  const remedy = "write the alias's ARN instead";
  const entries = containers.flatMap((each) => {
    // of two with one name, Kubernetes takes the last
    const entry = listIn(each.written.env)
      .map(mapIn)
      .findLast(({ name: key }) => key === variable);
    return entry === undefined ? [] : [{ container: each.name, entry }];
  });
  const [found, ...others] = entries;
  if (found === undefined) {
    const hasMore = containers.some(({ written }) => listIn(written.envFrom).length > 0);
    report(
      annotation,
      `no container has ${variable} in its env${hasMore ? ", and what envFrom brings is not in the manifest" : ""}; ${remedy}, or add the variable`,
    );
    return undefined;
  }
  const { container, entry } = found;
  const other = others.find((each) => !isDeepStrictEqual(each.entry, entry));
  const value = textIn(entry.value);
  if (other !== undefined)
    report(
      annotation,
      `${variable} differs in the containers "${container}" and "${other.container}"; ${remedy}`,
    );
  else if (/\$\(/.test(value))
    report(
      annotation,
      `${variable} is ${shown(value)}, which names a variable that the agent does not have; ${remedy}`,
    );
  else if (entry.valueFrom === undefined && !ALIAS_ARN.test(value))
    report(annotation, `${variable} is ${shown(value)}, which is no ARN of an alias; ${remedy}`);
  else return copied(entry);
  return undefined;
}

/** An entry of a container's env, with the one value of it that is no text. */
const copied = (entry: WrittenMap): { readonly [key: string]: Made } =>
  Object.fromEntries(
    Object.entries(entry).map(([key, value]) => [
      key,
      typeof value === "string"
        ? key === "optional"
          ? value === "true"
          : value
        : copied(mapIn(value)),
    ]),
  );
