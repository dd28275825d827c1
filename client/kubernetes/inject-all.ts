import { type Injected, type InjectOptions, inject } from "./inject.ts";
import { ManifestError, type ManifestProblem } from "./problem.ts";

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
  for (const { file, text } of manifests)
    try {
      all.push(await inject(text, { ...options, file }));
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
      problems.push(...error.problems);
    }
  if (problems.length > 0) throw new ManifestError(problems);
  return {
    text: all.map(({ text }) => text).reduce(joined),
    messages: all.flatMap(({ messages }) => messages),
    resources: all.flatMap(({ resources }) => resources),
  };
}

function joined(before: string, file: string): string {
  const next = file.replace(/^\ufeff/, "");
  const ended = before === "" || before.endsWith("\n") ? before : `${before}\n`;
  return next.startsWith("---") ? ended + next : `${ended}---\n${next}`;
}
