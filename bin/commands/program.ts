import { Command, CommanderError, Help } from "commander";
import mayfly from "../../package.json" with { type: "json" };
import { EXIT_HELP, ExitStatus, statusOf, wordsOf } from "../terminal/exit.ts";
import { type Io, say } from "../terminal/io.ts";

/** A program without commands yet. Parsing rejects with the error of a command or of commander. */
export const newProgram = (io: Io, about: string): Command =>
  new Command("mayfly")
    .description(about)
    .version(mayfly.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "mayfly: ")),
    })
    .configureHelp({
      // a list that is empty unless the option is given needs no "(default: [])"
      optionDescription: (option) =>
        Array.isArray(option.defaultValue)
          ? option.description
          : new Help().optionDescription(option),
    })
    .showHelpAfterError("(--help shows the options)");

/** Run a program, made here so that its errors are said too. @returns the exit status */
export async function runProgram(
  make: () => Promise<Command>,
  argv: readonly string[],
  io: Io,
): Promise<number> {
  try {
    const program = await make();
    await program.parseAsync([...argv], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof ExitStatus) return error.status;
    if (!(error instanceof CommanderError)) say(io, `mayfly: ${wordsOf(error)}`);
    return statusOf(error);
  }
}

/** Say in each command's help what exit statuses mean. */
export function withExitHelp(command: Command): void {
  command.addHelpText("after", EXIT_HELP);
  for (const each of command.commands) withExitHelp(each);
}
