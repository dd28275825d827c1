import { type CompletedCommand, type CompletedOption, commandsIn } from "./command-tree.ts";

/** Between single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** In an explanation, which ends at a bracket; in a list, at a colon. */
const escaped = (text: string): string => text.replaceAll(/[[\]:\\]/g, "\\$&");

function specOf({ flag, description, value, choices }: CompletedOption): string {
  const actions = { choice: `(${choices.join(" ")})`, file: "_files", text: "" };
  const argument = value === undefined ? "" : `:${value}:${actions[value]}`;
  return quoted(`${flag}[${escaped(description)}]${argument}`);
}

const nameOf = (path: string): string => `_mayfly_${path.replaceAll(/\W/g, "_")}`;

function functionOf(command: CompletedCommand): string {
  const options = command.options.map((each) => `    ${specOf(each)}`);
  const first = command.takesLease
    ? ["    '1:lease:__mayfly_lease_names'"]
    : command.choices.length > 0
      ? [`    '1:word:(${command.choices.join(" ")})'`]
      : [];
  const rest = command.takesLease ? ["    '*:::command:_normal'"] : [];
  const specs = [...options, ...first, ...rest];
  return `${nameOf(command.path)}() {\n  _arguments -S \\\n${specs.join(" \\\n")}\n}`;
}

function groupOf(command: CompletedCommand): string {
  const list = command.subcommands.map(
    ({ path, description }) => `    ${quoted(`${path.split(" ").at(-1)}:${escaped(description)}`)}`,
  );
  const cases = command.subcommands.map(({ path }) => {
    const word = path.split(" ").at(-1) ?? "";
    return `    ${word}) ${nameOf(path)} ;;`;
  });
  return `${nameOf(command.path)}() {
  local -a commands=(
${list.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${cases.join("\n")}
  esac
}`;
}

/** A script for zsh. It starts no program. */
export function zshCompletion(tree: CompletedCommand): string {
  const functions = commandsIn(tree).map((each) =>
    each.subcommands.length > 0 ? groupOf(each) : functionOf(each),
  );
  return `#compdef mayfly
# completion of mayfly for zsh: eval "$(mayfly completion zsh)", after compinit
__mayfly_lease_names() {
  local variable role database
  local -a leases
  for variable in \${(k)parameters[(I)MAYFLY_LEASE_*]}; do
    role=\${(P)variable##*--}
    database=\${variable#MAYFLY_LEASE_}
    database=\${database[1,-\${#role}-2]}
    leases+=("\${\${(L)database}//_/-}/$role")
  done
  compadd -- $leases
}
${functions.join("\n")}
compdef ${nameOf("")} mayfly
`;
}
