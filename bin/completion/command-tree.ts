import type { Argument, Command, Option } from "commander";

/** What may be typed in an option's place. */
export interface CompletedOption {
  /** E.g. `--consumer`. */
  readonly flag: string;
  readonly description: string;
  /** What follows it. Undefined if nothing does. */
  readonly value: "choice" | "file" | "text" | undefined;
  readonly choices: readonly string[];
}

/** What may be typed after a command's name. */
export interface CompletedCommand {
  /** E.g. `config check`. */
  readonly path: string;
  readonly description: string;
  readonly options: readonly CompletedOption[];
  readonly subcommands: readonly CompletedCommand[];
  /** The first argument is a lease such as `orders/readonly`. */
  readonly takesLease: boolean;
  /** What the first argument may be, if that is a list. */
  readonly choices: readonly string[];
}

/** The arguments that name a lease, by commander's name for them. */
export const LEASE_ARGUMENT = "database/role";

/** Options whose value is a file. */
const FILES: readonly string[] = ["--ca", "--config", "--from", "--report"];

/** Every command with its options, as commander has them. */
export function commandTree(command: Command, path = ""): CompletedCommand {
  const shown = command.createHelp();
  const [first] = command.registeredArguments;
  return {
    path,
    description: command.description(),
    options: shown.visibleOptions(command).flatMap(optionOf),
    subcommands: shown
      .visibleCommands(command)
      .filter((each) => each.name() !== "help")
      .map((each) => commandTree(each, `${path} ${each.name()}`.trim())),
    takesLease: first?.name() === LEASE_ARGUMENT,
    choices: choicesOf(first),
  };
}

const choicesOf = (argument: Argument | undefined): readonly string[] => argument?.argChoices ?? [];

function optionOf(option: Option): readonly CompletedOption[] {
  const { long, description, argChoices = [] } = option;
  if (long === undefined || long === null) return [];
  const takesValue = option.required || option.optional;
  const value = argChoices.length > 0 ? "choice" : FILES.includes(long) ? "file" : "text";
  return [{ flag: long, description, value: takesValue ? value : undefined, choices: argChoices }];
}

/** Every command that takes options, at any depth. */
export const commandsIn = (tree: CompletedCommand): readonly CompletedCommand[] => [
  tree,
  ...tree.subcommands.flatMap(commandsIn),
];
