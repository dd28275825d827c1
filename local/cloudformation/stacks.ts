import type { Template } from "./assembly.ts";
import type { Stack } from "./stack.ts";

/** The stacks of one assembly, the first of which is the one that others are named after. */
export class Stacks {
  readonly #makeStack: (name: string) => Stack;
  readonly #stacks = new Map<string, Stack>();

  constructor(makeStack: (name: string) => Stack) {
    this.#makeStack = makeStack;
  }

  /** Those that were ever made, in that order. */
  get all(): readonly Stack[] {
    return [...this.#stacks.values()];
  }

  /** What all of them put out. */
  get outputs(): Readonly<Record<string, string>> {
    return Object.assign({}, ...this.all.map(({ outputs }) => outputs));
  }

  /** Make each, one after the other. @throws Error as `Stack.create`: at the first that fails. */
  async create(templates: ReadonlyMap<string, Template>, signal?: AbortSignal): Promise<void> {
    for (const [name, template] of templates) await this.#stack(name).create(template, signal);
  }

  /**
   * Make each what another assembly says. One that this does not name stays as it is: AWS's tools
   * delete no stack that an app no longer has.
   *
   * @throws Error as `Stack.update`: at the first that fails.
   */
  async update(templates: ReadonlyMap<string, Template>): Promise<void> {
    for (const [name, template] of templates)
      if (this.#stacks.has(name)) await this.#stack(name).update(template);
      else await this.#stack(name).create(template);
  }

  /** Take each away, the last first. @throws Error as `Stack.delete`: at the first that fails. */
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
