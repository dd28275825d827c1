import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TemplateResource } from "../../local/cloudformation/assembly.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import { synthesizeHere } from "../support/assembly.ts";

const lengths = { ttl: "1h", maxTtl: "24h", maxLeases: 400 };
const readonly = { select: ["public.*"], ...lengths };
const readwrite = { ...readonly, insert: ["public.*"], update: ["public.*"], usage: ["public.*"] };
const auditor = { select: ["public.orders"], ...lengths };

type Roles = Readonly<Record<string, object>>;

function configuration(roles: Roles, ...consumers: readonly string[]): object {
  const orders = { sandbox: true, databases: ["orders"], owner: "app_owner", roles };
  const granted = (consumer: string): string[] =>
    Object.keys(roles)
      .filter((role) => consumer === "user-service" || role === "readonly")
      .map((role) => `orders/${role}`);
  return {
    databases: { orders },
    consumers: Object.fromEntries(
      consumers.map((name) => [name, { newRole: { assumedBy: "account" }, roles: granted(name) }]),
    ),
  };
}

const { update: _, ...withoutUpdate } = readwrite;

/** What the stack is deployed with, one after the other. */
const CONFIGURATIONS = {
  first: configuration({ readonly, readwrite }, "user-service", "reporting"),
  roleAdded: configuration({ readonly, readwrite, auditor }, "user-service", "reporting"),
  privilegeRemoved: configuration(
    { readonly, readwrite: withoutUpdate, auditor },
    "user-service",
    "reporting",
  ),
  consumerRemoved: configuration({ readonly, readwrite: withoutUpdate, auditor }, "user-service"),
  impossible: configuration(
    { readonly, auditor: { ...auditor, select: ["public.nowhere"] } },
    "user-service",
    "newcomer",
  ),
  failsLate: configuration({ readonly, auditor, latecomer: readwrite }, "user-service"),
} as const;

/** Folders of the synthesized configurations. */
export type Assemblies = Readonly<Record<keyof typeof CONFIGURATIONS, string>>;

export interface SynthesizedConfigurations {
  readonly assemblies: Assemblies;
  /** Safe to repeat. */
  readonly remove: () => void;
}

/** Add a resource that cannot be made to a template, behind the provisioning. */
function failAtTheEnd(folder: string): void {
  const path = join(folder, "Mayfly.template.json");
  const template = JSON.parse(readFileSync(path, "utf8")) as {
    Resources: Record<string, TemplateResource>;
  };
  const [provisioning = ""] =
    Object.entries(template.Resources).find(([, { Type }]) => Type === "Custom::MayflyProvision") ??
    [];
  template.Resources.Impossible = {
    Type: "AWS::Lambda::Alias",
    Properties: { FunctionName: "nobody", FunctionVersion: "1", Name: "late" },
    DependsOn: provisioning,
  };
  writeFileSync(path, JSON.stringify(template));
}

/** Synthesize each configuration, once. */
export function synthesizeAll(): SynthesizedConfigurations {
  const { path, remove } = tempFolder("configurations");
  try {
    const folders = Object.entries(CONFIGURATIONS).map(([name, config]) => {
      const folder = join(path, name);
      synthesizeHere(folder, config);
      return [name, folder] as const;
    });
    const assemblies = Object.fromEntries(folders) as Assemblies;
    failAtTheEnd(assemblies.failsLate);
    return { assemblies, remove };
  } catch (error) {
    remove();
    throw error;
  }
}
