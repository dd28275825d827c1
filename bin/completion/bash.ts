import { type CompletedCommand, commandsIn } from "./command-tree.ts";

/** The words after a command's name that are no option's value. */
const firstWords = ({ subcommands, takesLease, choices }: CompletedCommand): string => {
  if (takesLease) return "$(_mayfly_leases)";
  return [...subcommands.map(({ path }) => path.split(" ").at(-1) ?? ""), ...choices].join(" ");
};

function caseOf(command: CompletedCommand): string {
  const flags = command.options.map(({ flag }) => flag).join(" ");
  return `    "${command.path}") words="${firstWords(command)}"; flags="${flags}" ;;`;
}

/** Options with choices or files: what follows them. */
function valuesOf(command: CompletedCommand): readonly string[] {
  return command.options.flatMap(({ flag, value, choices }) => {
    const pattern = `"${command.path}:${flag}"`;
    if (value === undefined) return [];
    if (value === "choice")
      return [
        `    ${pattern}) COMPREPLY=($(compgen -W "${choices.join(" ")}" -- "$word")); return ;;`,
      ];
    if (value === "file")
      return [`    ${pattern}) COMPREPLY=($(compgen -f -- "$word")); return ;;`];
    return [`    ${pattern}) return ;;`];
  });
}

/** A script for bash 3.2 and later. It starts no program. */
export function bashCompletion(tree: CompletedCommand): string {
  const commands = commandsIn(tree);
  const groups = commands.filter(({ path, subcommands }) => path !== "" && subcommands.length > 0);
  return `# completion of mayfly for bash: eval "$(mayfly completion bash)"
_mayfly_leases() {
  local variable role database
  for variable in $(compgen -v MAYFLY_LEASE_); do
    role=\${!variable##*--}
    database=\${variable#MAYFLY_LEASE_}
    database=\${database:0:$((\${#database} - \${#role} - 1))}
    printf '%s/%s\\n' "$(printf %s "$database" | tr 'A-Z_' 'a-z-')" "$role"
  done
}
_mayfly() {
  local word=\${COMP_WORDS[COMP_CWORD]} path="" words="" flags="" at=1
  COMPREPLY=()
  if ((COMP_CWORD > 1)); then
    path=\${COMP_WORDS[1]}
    at=2
  fi
  case "$path" in
    ${groups.map(({ path }) => path).join("|") || "none"})
      if ((COMP_CWORD > 2)); then
        path="$path \${COMP_WORDS[2]}"
        at=3
      fi ;;
  esac
  for ((; at < COMP_CWORD; at++)); do
    if [[ \${COMP_WORDS[at]} == -- ]]; then
      COMPREPLY=($(compgen -c -f -- "$word"))
      return
    fi
  done
  case "$path:\${COMP_WORDS[COMP_CWORD - 1]}" in
${commands.flatMap(valuesOf).join("\n")}
  esac
  case "$path" in
${commands.map(caseOf).join("\n")}
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  fi
}
complete -F _mayfly mayfly
`;
}
