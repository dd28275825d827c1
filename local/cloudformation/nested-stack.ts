import type { Template } from "./assembly.ts";
import type { Created, Resource, ResourceType } from "./resource.ts";
import type { Stack } from "./stack.ts";

interface NestedStackOptions {
  /** Returns an empty stack of that name. */
  readonly makeStack: (name: string) => Stack;
  /** Returns the template in a file of the assembly. */
  readonly templateOf: (s3Key: string) => Template;
}

interface Properties {
  readonly TemplateURL: string;
  readonly Parameters?: Readonly<Record<string, unknown>>;
}

/** `AWS::CloudFormation::Stack`: a stack that another stack creates, changes and deletes. */
export function nestedStack({ makeStack, templateOf }: NestedStackOptions): ResourceType {
  const stacks = new Map<string, Stack>();
  const stackOf = (id: string): Stack => {
    const stack = stacks.get(id);
    if (stack === undefined) throw new Error(`there is no nested stack ${id}`);
    return stack;
  };
  const wanted = ({ properties }: Resource): Template => {
    const { TemplateURL, Parameters = {} } = properties as unknown as Properties;
    return withValues(templateOf(TemplateURL.split("/").at(-1) ?? ""), Parameters);
  };
  return {
    changes: { TemplateURL: "update", Parameters: "update", Tags: "update" },
    create: async (resource) => {
      const stack = makeStack(resource.physicalName(128));
      await stack.create(wanted(resource));
      stacks.set(stack.id, stack);
      return created(stack);
    },
    update: async (resource, { ref }) => {
      const stack = stackOf(ref);
      await stack.update(wanted(resource));
      return created(stack);
    },
    remove: async ({ ref }) => {
      await stackOf(ref).delete();
      stacks.delete(ref);
    },
  };
}

const created = ({ id, outputs }: Stack): Created => ({
  ref: id,
  attributes: Object.fromEntries(
    Object.entries(outputs).map(([name, value]) => [`Outputs.${name}`, value]),
  ),
});

/** The template with the values of its parameters. */
function withValues(template: Template, values: Readonly<Record<string, unknown>>): Template {
  const Parameters = Object.fromEntries(
    Object.entries(template.Parameters ?? {}).map(([name, parameter]) => [
      name,
      name in values ? { ...parameter, Default: values[name] } : parameter,
    ]),
  );
  return { ...template, Parameters };
}
