import type { Template } from "./assembly.ts";
import { noOutput, type Stack } from "./stack.ts";
import { type OutputReference, type Scope, stacksNamedIn } from "./template.ts";

type Templates = ReadonlyMap<string, Template>;
type MakeStack = (name: string, outputOf: Scope["outputOf"]) => Stack;

/** The stacks of one assembly. The names of the others begin with the name of the first. */
export class Stacks {
  readonly #makeStack: MakeStack;
  readonly #stacks = new Map<string, Stack>();

  constructor(makeStack: MakeStack) {
    this.#makeStack = makeStack;
  }

  /** Every stack that was created, in that order. */
  get all(): readonly Stack[] {
    return [...this.#stacks.values()];
  }

  /** The outputs of all stacks. */
  get outputs(): Readonly<Record<string, string>> {
    return Object.assign({}, ...this.all.map(({ outputs }) => outputs));
  }

  /**
   * Create the stacks one after the other, each after the stacks whose outputs it reads.
   *
   * @throws Error as `Stack.create`, for the first that fails.
   */
  async create(templates: Templates, signal?: AbortSignal): Promise<void> {
    for (const [name, template] of inOrder(templates))
      await this.#stack(name).create(template, signal);
  }

  /**
   * Change each stack to another assembly. A stack that it does not have stays as it is: AWS's
   * tools delete no stack that left the app.
   *
   * @throws Error as `Stack.update`, for the first that fails.
   */
  async update(templates: Templates): Promise<void> {
    for (const [name, template] of inOrder(templates))
      if (this.#stacks.has(name)) await this.#stack(name).update(template);
      else await this.#stack(name).create(template);
  }

  /**
   * Delete the stacks, the last first. @throws Error as `Stack.delete`, for the first that fails.
   */
  async delete(): Promise<void> {
    for (const stack of this.all.toReversed()) await stack.delete();
  }

  #stack(name: string): Stack {
    const known = this.#stacks.get(name);
    if (known !== undefined) return known;
    const made = this.#makeStack(name, (reference) => this.#outputOf(reference));
    this.#stacks.set(name, made);
    return made;
  }

  #outputOf(reference: OutputReference): string {
    const { StackName, OutputName } = reference;
    return this.#stacks.get(StackName)?.outputs[OutputName] ?? noOutput(reference);
  }
}

/** Depth first: a stack comes after the stacks whose outputs it reads. */
function inOrder(templates: Templates): Templates {
  const order = new Map<string, Template>();
  const visit = (name: string, path: readonly string[]): void => {
    const template = templates.get(name);
    if (template === undefined || order.has(name)) return;
    if (path.includes(name))
      throw new Error(`stacks need each other: ${[...path, name].join(" -> ")}`);
    for (const each of stacksNamedIn(template)) visit(each, [...path, name]);
    order.set(name, template);
  };
  for (const name of templates.keys()) visit(name, []);
  return order;
}
