import { Argument, type Command } from "commander";
import { bashCompletion } from "../completion/bash.ts";
import { commandTree } from "../completion/command-tree.ts";
import { fishCompletion } from "../completion/fish.ts";
import { zshCompletion } from "../completion/zsh.ts";
import type { Io } from "../terminal/io.ts";

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };
type Shell = keyof typeof SHELLS;

/** `mayfly completion`: a script with which a shell completes commands, options and leases. */
export function addCompletion(program: Command, io: Io): void {
  program
    .command("completion")
    .description("print the script with which a shell completes commands, options and leases")
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(SHELLS)))
    .action((shell: Shell) => void io.out.write(SHELLS[shell](commandTree(program))));
}
