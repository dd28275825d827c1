import { randomEnd } from "./account.ts";
import type { Json, Template, TemplateResource } from "./assembly.ts";
import { isReplica } from "./rds-replica.ts";
import type { Created, Resource } from "./resource.ts";
import type { SecretReference } from "./secrets-manager.ts";
import { evaluate, NO_VALUE, references, type Scope } from "./template.ts";

/** How a stack is made. */
export interface StackOptions {
  readonly name: string;
  readonly region: string;
  readonly template: Template;
  /** `AWS::Region` and its like, `AWS::NoValue` aside. */
  readonly pseudoParameters: Readonly<Record<string, string>>;
  readonly supports: (type: string) => boolean;
  readonly create: (resource: Resource) => Promise<Created>;
  readonly resolveSecret: (reference: SecretReference) => string;
}

/** The value CDK's templates look up before they deploy anything. */
const SSM_PARAMETERS: Readonly<Record<string, string>> = {
  "/cdk-bootstrap/hnb659fds/version": "30",
};
const DYNAMIC = /\{\{resolve:([^:}]+):(arn:aws:secretsmanager(?::[^:}]+){4}|[^:}]+)([^}]*)\}\}/g;

/**
 * Create every resource, each after those it needs.
 *
 * @returns the stack's outputs.
 * @throws Error naming what the runner does not have, or has only one of, before it creates anything.
 */
export async function createStack(options: StackOptions): Promise<Record<string, string>> {
  const { template, name, supports } = options;
  const created = new Map<string, Created>();
  const scope = scopeOf(options, created);
  const wanted = Object.entries(template.Resources).filter(
    ([, { Condition }]) => Condition === undefined || scope.condition(Condition),
  );
  assertPossible(wanted, supports);
  for (const logicalId of creationOrder(
    template,
    wanted.map(([id]) => id),
  )) {
    const { Type, Properties = {} } = template.Resources[logicalId] ?? { Type: "" };
    const properties = resolveDynamic(evaluate(Properties, scope), options) as Json;
    const physicalName = (length: number): string =>
      `${`${name}-${logicalId}`.slice(0, length - 13)}-${randomEnd(12)}`;
    created.set(
      logicalId,
      await options.create({ logicalId, type: Type, properties, physicalName }),
    );
  }
  const outputs = Object.entries(template.Outputs ?? {})
    .filter(([, { Condition }]) => Condition === undefined || scope.condition(Condition))
    .map(([key, { Value }]) => [key, String(evaluate(Value, scope))]);
  return Object.fromEntries(outputs);
}

type Entries = readonly (readonly [logicalId: string, resource: TemplateResource])[];

function assertPossible(wanted: Entries, supports: (type: string) => boolean): void {
  const unknown = wanted.filter(([, { Type }]) => !supports(Type));
  if (unknown.length > 0)
    throw new Error(
      `the local runner does not implement ${unknown.map(([id, { Type }]) => `${Type} (${id})`).join(", ")}`,
    );
  const servers = wanted.filter(
    ([, { Type, Properties }]) => Type === "AWS::RDS::DBInstance" && !isReplica(Properties),
  );
  if (servers.length > 1)
    throw new Error(
      `the local runner has one PostgreSQL; the template has ${servers.length} of AWS::RDS::DBInstance (${servers.map(([id]) => id).join(", ")})`,
    );
}

function scopeOf(options: StackOptions, created: ReadonlyMap<string, Created>): Scope {
  const { template, region, pseudoParameters } = options;
  const made = (id: string): Created => {
    const resource = created.get(id);
    if (resource !== undefined) return resource;
    throw new Error(`${id} is no parameter and no resource of the template that was created`);
  };
  const scope: Scope = {
    region,
    ref: (name) => {
      if (name === "AWS::NoValue") return NO_VALUE;
      const parameter = template.Parameters?.[name];
      if (parameter === undefined) return pseudoParameters[name] ?? made(name).ref;
      const { Type, Default } = parameter;
      const value = Type.startsWith("AWS::SSM::") ? SSM_PARAMETERS[String(Default)] : Default;
      if (value === undefined)
        throw new Error(`parameter ${name} has no value the local runner knows`);
      return value;
    },
    attribute: (id, name) => {
      const value = made(id).attributes?.[name];
      if (value !== undefined) return value;
      throw new Error(
        `the local runner has no attribute ${name} of ${id}, a ${template.Resources[id]?.Type}`,
      );
    },
    condition: (name) => {
      const condition = template.Conditions?.[name];
      if (condition === undefined) throw new Error(`the template has no condition ${name}`);
      return evaluate(condition, scope) === true;
    },
  };
  return scope;
}

/** Depth first: whatever a resource refers to or depends on comes before it. */
function creationOrder(template: Template, wanted: readonly string[]): string[] {
  const order = new Set<string>();
  const visit = (id: string, path: readonly string[]): void => {
    if (order.has(id) || !wanted.includes(id)) return;
    if (path.includes(id))
      throw new Error(`resources need each other: ${[...path, id].join(" -> ")}`);
    const resource = template.Resources[id];
    const needed = [...references(resource?.Properties), ...[resource?.DependsOn ?? []].flat()];
    for (const each of needed) visit(each, [...path, id]);
    order.add(id);
  };
  for (const id of wanted) visit(id, []);
  return [...order];
}

function resolveDynamic(value: unknown, { resolveSecret }: StackOptions): unknown {
  return JSON.parse(
    JSON.stringify(value).replace(DYNAMIC, (whole, service: string, id: string, rest: string) => {
      const [, kind, key = "", stage = "", version = ""] = rest.split(":");
      if (service !== "secretsmanager" || (kind ?? "SecretString") !== "SecretString")
        throw new Error(`the local runner does not implement ${whole}`);
      return JSON.stringify(resolveSecret({ id, key, stage, version })).slice(1, -1);
    }),
  );
}
