/** The resource of a manifest that a message is about. */
export interface ResourcePlace {
  /** The file's name, or `stdin`. */
  readonly file: string;
  /** Counted from 1. Undefined: the file has one document. */
  readonly document: number | undefined;
  readonly kind: string;
  /** Undefined: it has none. */
  readonly name: string | undefined;
}

/** Something that the manifest's author must change: what is wrong, and the remedy. */
export interface ManifestProblem {
  readonly place: ResourcePlace;
  /** What it is about, e.g. `mayfly/proxy-orders`. Undefined: the resource as a whole. */
  readonly subject?: string;
  readonly message: string;
}

/** A problem in one line: `deploy.yaml, document 2, Deployment/web: mayfly/proxy-orders: …`. */
export function problemLine({ place, subject, message }: ManifestProblem): string {
  return [placeWords(place), subject, message].filter((part) => part !== undefined).join(": ");
}

/** A resource in words, e.g. `deploy.yaml, document 2, Deployment/web`. */
export function placeWords({ file, document, kind, name }: ResourcePlace): string {
  const numbered = document === undefined ? [] : [`document ${document}`];
  const resource = name === undefined ? kind : `${kind}/${name}`;
  return [file, ...numbered, ...(resource === "" ? [] : [resource])].join(", ");
}

/** Manifests that cannot be used: every problem, one per line. Nothing is written then. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  readonly problems: readonly ManifestProblem[];

  constructor(problems: readonly ManifestProblem[]) {
    super(problems.map(problemLine).join("\n"));
    this.problems = problems;
  }
}
