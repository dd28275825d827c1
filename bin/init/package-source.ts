import { existsSync, readFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";

/** A lock file that npm writes beside what it has installed. */
interface InstalledLock {
  readonly packages?: Readonly<Record<string, { readonly resolved?: string }>>;
}

const INSTALLED = `${sep}node_modules${sep}mayfly${sep}`;

/**
 * The file that npm installed this package from, as a dependency of a project in `folder`:
 * `file:../mayfly-0.1.0.tgz`. Undefined if it is not from a file, or if another tool installed it.
 *
 * @param program a file of this program.
 */
export function packageFile(program: string, folder: string): string | undefined {
  const at = program.lastIndexOf(INSTALLED);
  if (at === -1) return undefined;
  const project = program.slice(0, at);
  const lock = join(project, "node_modules", ".package-lock.json");
  if (!existsSync(lock)) return undefined;
  const { packages } = JSON.parse(readFileSync(lock, "utf8")) as InstalledLock;
  const [, file] = /^file:(.+\.tgz)$/.exec(packages?.["node_modules/mayfly"]?.resolved ?? "") ?? [];
  if (file === undefined) return undefined;
  return `file:${relative(folder, resolve(project, file)).replaceAll(sep, "/")}`;
}
