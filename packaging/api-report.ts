import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Types that constructs and `parseConfig` pass to each other. They are not part of the promise. */
const OPAQUE: ReadonlySet<string> = new Set([
  "CheckedDatabase",
  "DynamicRoleContext",
  "FunctionNetwork",
  "LeaseFunctions",
  "ParsedConfig",
  "ParsedRole",
  "ParsedSecret",
  "ParsedTrust",
  "CheckedSecret",
  "Watched",
]);

/** One file of declarations: what it declares, and what it imports under which names. */
interface Declarations {
  readonly own: ReadonlyMap<string, string>;
  readonly others: ReadonlyMap<string, { readonly path: string; readonly name: string }>;
}

const COMMENT = /^[ \t]*\/\*\*[\s\S]*?\*\/\n/gm;
const STATEMENT = /^(?=(?:export|declare|import|interface|type|abstract|class|const|function)\b)/m;
const DECLARED =
  /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|const|function) (\w+)/;
const LISTED = /^(?:import|export) (?:type )?{([^}]*)} from "(\.[^"]+)\.js"/;
const INLINE = /\bimport\("(\.[^"]+)\.js"\)\.(\w+)/g;

function declarationsIn(folder: string, path: string): Declarations {
  const own = new Map<string, string>();
  const others = new Map<string, { path: string; name: string }>();
  const text = readFileSync(join(folder, path), "utf8").replaceAll(COMMENT, "");
  for (const statement of text.split(STATEMENT)) {
    const [, declared] = DECLARED.exec(statement) ?? [];
    if (declared !== undefined) own.set(declared, statement.trim());
    const [, list = "", specifier = ""] = LISTED.exec(statement) ?? [];
    for (const each of list.split(",").map((one) => one.replace(/^\s*type /, "").trim())) {
      const [name = "", as = name] = each.split(" as ");
      if (name !== "") others.set(as, { path: `${join(dirname(path), specifier)}.d.ts`, name });
    }
  }
  return { own, others };
}

/**
 * Everything that a package promises to a compiler: the exports of its entries and the declarations
 * that these refer to, without comments.
 *
 * @param entries paths of declarations, relative to the folder.
 */
export function apiReport(folder: string, entries: readonly string[]): string {
  const files = new Map<string, Declarations>();
  const fileOf = (path: string): Declarations => {
    const file = files.get(path) ?? declarationsIn(folder, path);
    files.set(path, file);
    return file;
  };
  const found = new Map<string, string>();
  const collect = (path: string, name: string): void => {
    const { own, others } = fileOf(path);
    const text = own.get(name);
    const other = others.get(name);
    if (text === undefined) {
      if (other !== undefined) collect(other.path, other.name);
      return;
    }
    const key = `${path} ${name}`;
    if (found.has(key)) return;
    found.set(key, OPAQUE.has(name) ? "(opaque)" : text);
    if (OPAQUE.has(name)) return;
    for (const [, specifier = "", inline = ""] of text.matchAll(INLINE))
      collect(`${join(dirname(path), specifier)}.d.ts`, inline);
    for (const [word] of text.matchAll(/\b[A-Za-z]\w*\b/g)) collect(path, word);
  };
  const exported = entries.map((entry) => {
    const { own, others } = fileOf(entry);
    const names = [...own.keys(), ...others.keys()].sort();
    for (const name of names) collect(entry, name);
    return `// ${entry}\n${names.join("\n")}\n`;
  });
  // by name, so that moving a file within the package changes nothing
  const declared = [...found].map(([key, text]) => [key.split(" ")[1], `${text}\n`] as const);
  const sorted = declared.toSorted(([a = ""], [b = ""]) => a.localeCompare(b, "en"));
  return [...exported, ...sorted.map(([name, text]) => `// ${name}\n${text}`)].join("\n");
}
