import type { Template } from "./assembly.ts";
import type { Stack } from "./stack.ts";

/** The stacks of one assembly. The names of the others begin with the name of the first. */
export class Stacks {
  readonly #makeStack: (name: string) => Stack;
  readonly #stacks = new Map<string, Stack>();

  constructor(makeStack: (name: string) => Stack) {
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
   * Create the stacks one after the other. @throws Error as `Stack.create`, for the first that
   * fails.
   */
  async create(templates: ReadonlyMap<string, Template>, signal?: AbortSignal): Promise<void> {
    for (const [name, template] of templates) await this.#stack(name).create(template, signal);
  }

  /**
   * Change each stack to another assembly. A stack that it does not have stays as it is: AWS's
   * tools delete no stack that left the app.
   *
   * @throws Error as `Stack.update`, for the first that fails.
   */
  async update(templates: ReadonlyMap<string, Template>): Promise<void> {
    for (const [name, template] of templates)
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
    const made = this.#makeStack(name);
    this.#stacks.set(name, made);
    return made;
  }
}
