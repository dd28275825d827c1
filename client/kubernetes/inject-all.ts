import { type Injected, type InjectOptions, inject, readOrError } from "./inject.ts";
import { documentsIn } from "./manifest/documents.ts";
import { ManifestError, type ManifestProblem } from "./manifest/problem.ts";

/** A file of manifests. */
export interface Manifest {
  readonly file: string;
  readonly text: string;
}

/**
 * Add the agent to the pods of several files, which become one stream. One file stays to the byte
 * where nothing is added.
 *
 * @throws ManifestError with every problem of all files
 */
export async function injectAll(
  manifests: readonly Manifest[],
  options: Omit<InjectOptions, "file">,
): Promise<Injected> {
  const all: Injected[] = [];
  const problems: ManifestProblem[] = [];
  for (const [index, { file, text }] of manifests.entries())
    try {
      all.push(await inject(text, { ...options, file }));
      if (index < manifests.length - 1 && endsOpen(text))
        problems.push({
          place: { file, document: undefined, kind: "", name: undefined },
          message:
            "ends in a block of text without a line end, which the next file would give it; end the file with one, or name it last",
        });
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
      problems.push(...error.problems);
    }
  if (problems.length > 0) throw new ManifestError(problems);
  return {
    text: streamOf(all.map(({ text }) => text)),
    messages: all.flatMap(({ messages }) => messages),
    resources: all.flatMap(({ resources }) => resources),
  };
}

function endsOpen(text: string): boolean {
  const last = text.endsWith("\n") ? undefined : documentsIn(text).at(-1);
  const read = last && readOrError(last.text);
  return read !== undefined && !(read instanceof RangeError) && read.endsOpen;
}

/** Kubernetes takes a stream that begins with a brace for JSON alone, where `---` is a mistake. */
function streamOf([first = "", ...others]: readonly string[]): string {
  const isJson = others.length > 0 && /^\ufeff?\s*\{/.test(first);
  return others.reduce(joined, isJson ? joined("", first) : first);
}

function joined(before: string, file: string): string {
  const next = file.replace(/^\ufeff/, "");
  const ended = before === "" || before.endsWith("\n") ? before : `${before}\n`;
  return next.startsWith("---") ? ended + next : `${ended}---\n${next}`;
}
