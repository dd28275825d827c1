import { type CompletedCommand, type CompletedOption, commandsIn } from "./command-tree.ts";

/** Between single quotes, where a backslash is one before a quote or a backslash. */
const quoted = (text: string): string => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;

/** The condition under which the line is at a command. */
function at({ path, subcommands }: CompletedCommand): string {
  if (path === "") return "__fish_use_subcommand";
  const seen = path
    .split(" ")
    .map((word) => `__fish_seen_subcommand_from ${word}`)
    .join("; and ");
  const deeper = subcommands.map(({ path: each }) => each.split(" ").at(-1)).join(" ");
  return deeper === "" ? seen : `${seen}; and not __fish_seen_subcommand_from ${deeper}`;
}

function optionLine(condition: string, option: CompletedOption): string {
  const { flag, description, value, choices } = option;
  const values = { choice: ` -xa ${quoted(choices.join(" "))}`, file: " -rF", text: " -x" };
  const takes = value === undefined ? "" : values[value];
  return `complete -c mayfly -n ${quoted(condition)} -l ${flag.slice(2)}${takes} -d ${quoted(description)}`;
}

function linesOf(command: CompletedCommand): readonly string[] {
  const condition = at(command);
  const words = [
    ...command.subcommands.map(
      ({ path, description }) => `-a ${path.split(" ").at(-1)} -d ${quoted(description)}`,
    ),
    ...command.choices.map((choice) => `-a ${choice}`),
    ...(command.takesLease ? ["-a '(_mayfly_leases)' -d lease"] : []),
  ];
  return [
    ...words.map((each) => `complete -c mayfly -n ${quoted(condition)} ${each}`),
    ...command.options.map((each) => optionLine(condition, each)),
  ];
}

/** A script for fish. It starts no program. */
export const fishCompletion = (tree: CompletedCommand): string =>
  `# completion of mayfly for fish: mayfly completion fish | source
function _mayfly_leases
    for variable in (set -nx | string match 'MAYFLY_LEASE_*')
        set -l role (string replace -r '.*--' '' -- $$variable)
        set -l length (math (string length $variable) - (string length $role) - 14)
        set -l database (string sub -s 14 -l $length $variable | string lower | string replace -a _ -)
        echo $database/$role
    end
end
complete -c mayfly -f
${commandsIn(tree).flatMap(linesOf).join("\n")}
`;
