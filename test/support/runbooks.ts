import { readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "../../docs/runbooks");

/** A block of SQL as a runbook prints it, by something that stands in it. */
export function printed(page: string, mark: string): string {
  const text = readFileSync(join(FOLDER, `${page}.md`), "utf8");
  const blocks = [...text.matchAll(/^( *)```sql\n([\s\S]*?)^ *```$/gm)].map(
    ([, , sql = ""]) => sql,
  );
  const [found, ...others] = blocks.filter((sql) => sql.includes(mark));
  if (found === undefined || others.length > 0) throw new Error(`${page} has no one block ${mark}`);
  return found;
}
