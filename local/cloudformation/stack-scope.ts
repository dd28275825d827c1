import type { SecretReference } from "../secrets-manager/secrets-manager.ts";
import type { Template } from "./assembly.ts";
import type { Created } from "./resource.ts";
import { evaluate, NO_VALUE, type Scope } from "./template.ts";

/** What resolving a template's values needs, besides the resources. */
export interface ScopeOptions {
  readonly template: Template;
  readonly region: string;
  /** Pseudo parameters such as `AWS::Region`, except `AWS::NoValue`. */
  readonly pseudoParameters: Readonly<Record<string, string>>;
  readonly outputOf: Scope["outputOf"];
}

/** The bootstrap version, which CDK's templates check before they deploy anything. */
const SSM_PARAMETERS: Readonly<Record<string, string>> = {
  "/cdk-bootstrap/hnb659fds/version": "30",
};
const DYNAMIC = /\{\{resolve:([^:}]+):(arn:aws:secretsmanager(?::[^:}]+){4}|[^:}]+)([^}]*)\}\}/g;

/** The names that a template may refer to, including the resources that exist at that moment. */
export function scopeOf(options: ScopeOptions, resources: ReadonlyMap<string, Created>): Scope {
  const { template, region, pseudoParameters, outputOf } = options;
  const made = (id: string): Created => {
    const resource = resources.get(id);
    if (resource !== undefined) return resource;
    throw new Error(`${id} is no parameter and no resource of the template that was created`);
  };
  const scope: Scope = {
    region,
    outputOf,
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

/** Replace each `{{resolve:secretsmanager:…}}` by the value that it refers to. */
export function resolveDynamic(
  value: unknown,
  resolveSecret: (reference: SecretReference) => string,
): unknown {
  return JSON.parse(
    JSON.stringify(value).replace(DYNAMIC, (whole, service: string, id: string, rest: string) => {
      const [, kind, key = "", stage = "", version = ""] = rest.split(":");
      if (service !== "secretsmanager" || (kind ?? "SecretString") !== "SecretString")
        throw new Error(`the local runner does not implement ${whole}`);
      return JSON.stringify(resolveSecret({ id, key, stage, version })).slice(1, -1);
    }),
  );
}
