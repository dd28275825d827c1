import { isDeepStrictEqual } from "node:util";
import { type Document, isScalar, parseDocument } from "yaml";
import {
  type Annotations,
  INJECTED,
  LOGIN_ANNOTATIONS,
  POD_ANNOTATIONS,
  PREFIX,
} from "./annotations.ts";
import { type Change, changed, type Path } from "./change.ts";
import { documentsIn, type TextDocument } from "./documents.ts";
import { editText } from "./edit-text.ts";
import { injectPod, type PodTemplate } from "./inject-pod.ts";
import { mapIn, textIn, type Written } from "./pod.ts";
import { ManifestError, type ManifestProblem, placeWords, type ResourcePlace } from "./problem.ts";
import { shown } from "./read-annotations.ts";
import { type Resource, resourcesIn } from "./resources.ts";
import { type WrittenAnnotation, writtenAnnotations } from "./written-annotation.ts";

/** Annotations in another language, such as Vault's. */
export interface Translation {
  /** How the names of its annotations begin. */
  readonly prefix: string;
  /**
   * The annotations that a pod template has instead. What is missing in them is removed, what is new
   * is added. They are injected if they have `mayfly/inject`.
   */
  readonly translate: (template: AnnotatedTemplate) => TranslatedAnnotations;
}

/** A pod template whose annotations are translated. */
export interface AnnotatedTemplate {
  readonly place: ResourcePlace;
  readonly annotations: readonly WrittenAnnotation[];
  /** The pod's spec, whose scalars are texts. */
  readonly spec: Readonly<Record<string, Written>>;
}

export interface TranslatedAnnotations {
  /** In the order in which they stand in the text afterwards. */
  readonly annotations: Annotations;
  /** What says an annotation that the manifest has not, in words: problems of it name that. */
  readonly origins?: ReadonlyMap<string, string>;
  /** For people, each a line. */
  readonly messages: readonly string[];
  readonly problems: readonly Omit<ManifestProblem, "place">[];
}

export interface InjectOptions {
  /** The file's name, or `stdin`. */
  readonly file: string;
  /** The agent's image, for pods that name none. */
  readonly image?: string;
  readonly translation?: Translation;
}

/** Manifests with the agent in them. */
export interface Injected {
  readonly text: string;
  /** For people, each a line. */
  readonly messages: readonly string[];
  /** The resources that have an agent now. */
  readonly resources: readonly ResourcePlace[];
}

/**
 * Add the agent to the pods of a stream of manifests. What has no annotations of Mayfly's stays to
 * the byte.
 *
 * @param text YAML or JSON, with any number of documents
 * @throws ManifestError with every problem of the file
 */
export async function inject(text: string, options: InjectOptions): Promise<Injected> {
  const documents = documentsIn(text);
  const injection = new Injection(options, documents.filter(({ isEmpty }) => !isEmpty).length > 1);
  const parts: string[] = [];
  for (const document of documents) parts.push(await injection.document(document));
  if (injection.problems.length > 0) throw new ManifestError(injection.problems);
  const { messages, resources } = injection;
  return { text: parts.join(""), messages, resources };
}

/** YAML 1.1, which Kubernetes reads, takes these for truths, nothing, and numbers. */
const NO_TEXT =
  /^(?:|~|null|y|n|yes|no|on|off|true|false|[-+]?(?:0x[\da-f_]+|0b[01_]+|0o[0-7_]+|\d[\d_]*)|[-+]?(?:\d[\d_]*\.?|\.\d)\d*(?:e[-+]?\d+)?|[-+]?\.(?:inf|nan))$/i;

class Injection {
  readonly problems: ManifestProblem[] = [];
  readonly messages: string[] = [];
  readonly resources: ResourcePlace[] = [];
  readonly #options: InjectOptions;
  readonly #isNumbered: boolean;

  constructor(options: InjectOptions, isNumbered: boolean) {
    this.#options = options;
    this.#isNumbered = isNumbered;
  }

  async document(source: TextDocument): Promise<string> {
    const { text } = source;
    const prefixes = [PREFIX, this.#options.translation?.prefix ?? PREFIX];
    // most documents are not ours, and may have what another parser takes
    const isMentioned = prefixes.some(
      (prefix) => text.includes(prefix) || text.includes(prefix.replace("/", "\\/")),
    );
    if (!isMentioned) return text;
    const parsed = parseDocument(text, { schema: "failsafe", merge: true, version: "1.2" });
    const place = this.#place(source, "", undefined);
    const [error] = parsed.errors;
    if (error !== undefined) {
      const [{ line } = { line: 1 }] = error.linePos ?? [];
      const [message = ""] = error.message.split(/ at line |\n/);
      this.problems.push({
        place,
        subject: `line ${source.line + line - 1}`,
        message: `${message}; correct the YAML`,
      });
      return text;
    }
    const written = (parsed.toJS({ maxAliasCount: 10_000 }) ?? "") as Written;
    const changes: Change[] = [];
    for (const resource of resourcesIn(written))
      changes.push(...(await this.#resource(source, parsed, resource)));
    if (changes.length === 0 || this.problems.length > 0) return text;
    return this.#edited(source, parsed, { written, changes });
  }

  #place({ number }: TextDocument, kind: string, name: string | undefined): ResourcePlace {
    const { file } = this.#options;
    return { file, document: this.#isNumbered ? number : undefined, kind, name };
  }

  async #resource(
    source: TextDocument,
    parsed: Document.Parsed,
    { at, kind, name, written, template }: Resource,
  ): Promise<readonly Change[]> {
    const place = this.#place(source, kind, name);
    const report = (subject: string | undefined, message: string): void =>
      void this.problems.push({ place, ...(subject !== undefined && { subject }), message });
    const own = mapIn(mapIn(written.metadata).annotations);
    if (template === undefined) {
      if (own[`${PREFIX}inject`] !== undefined)
        this.messages.push(
          `${placeWords(place)}: has annotations of Mayfly's, but no pods that Mayfly knows; left as it is`,
        );
      return [];
    }
    if (template.length > 0)
      for (const misplaced of Object.keys(own).filter(isOurs))
        report(
          misplaced,
          `stands at the ${kind}; write it at ${template.join(".")}.metadata.annotations`,
        );
    const pod = template.reduce<Written>((value, key) => mapIn(value)[key] ?? "", written);
    const path = [...at, ...template];
    const annotations = this.#annotations(
      parsed,
      path,
      mapIn(mapIn(pod).metadata).annotations,
      report,
    );
    const spec = mapIn(mapIn(pod).spec);
    const translated = this.#translated(
      source,
      parsed,
      { at: path, kind, annotations, spec },
      place,
    );
    return this.#template(
      { at: path, kind, annotations: translated.annotations, spec },
      annotations,
      place,
      (subject, message) => {
        const origin = translated.origins?.get(subject ?? "");
        report(origin === undefined ? subject : `${origin}, now ${subject}`, message);
      },
    );
  }

  /** @param before as they stand in the manifest */
  async #template(
    pod: PodTemplate,
    before: Annotations,
    place: ResourcePlace,
    report: (subject: string | undefined, message: string) => void,
  ): Promise<readonly Change[]> {
    const { at, annotations } = pod;
    const wish = annotations[`${PREFIX}inject`]?.trim();
    if (wish !== "true") {
      if (wish !== "false" && Object.keys(annotations).some(isOurs))
        this.messages.push(
          `${placeWords(place)}: has annotations of Mayfly's, but not ${PREFIX}inject: "true"; left as it is`,
        );
      return [];
    }
    const changes = await injectPod(pod, this.#options.image, report);
    this.resources.push(place);
    const where: Path = [...at, "metadata", "annotations"];
    const names = new Set([...Object.keys(before), ...Object.keys(annotations)]);
    const rewritten = [...names]
      .filter((key) => before[key] !== annotations[key])
      .map((key): Change => ({ kind: "entry", at: where, key, value: annotations[key] }));
    return [...rewritten, ...changes];
  }

  /** The annotations of a template. Values that Kubernetes would refuse are reported. */
  #annotations(
    parsed: Document.Parsed,
    at: Path,
    written: Written | undefined,
    report: (subject: string | undefined, message: string) => void,
  ): Annotations {
    const where = [...at, "metadata", "annotations"];
    const entries = Object.entries(mapIn(written));
    for (const [key, value] of entries) {
      if (!isOurs(key)) continue;
      const node = parsed.getIn([...where, key], true);
      if (typeof value !== "string") report(key, "is no text; write it in quotes");
      else if (isScalar(node) && node.type === "PLAIN" && NO_TEXT.test(value))
        report(key, `${value} is no text to Kubernetes; write it in quotes, ${shown(value)}`);
    }
    return Object.fromEntries(entries.map(([key, value]) => [key, textIn(value)]));
  }

  #translated(
    source: TextDocument,
    parsed: Document.Parsed,
    { at, annotations, spec }: PodTemplate,
    place: ResourcePlace,
  ): Pick<TranslatedAnnotations, "annotations" | "origins"> {
    const { translation } = this.#options;
    if (translation === undefined) return { annotations };
    if (!Object.keys(annotations).some((each) => each.startsWith(translation.prefix)))
      return { annotations };
    const map = parsed.getIn([...at, "metadata", "annotations"], true);
    const written = writtenAnnotations(map, annotations, source);
    const answer = translation.translate({ place, annotations: written, spec });
    this.messages.push(...answer.messages);
    this.problems.push(...answer.problems.map((problem) => ({ place, ...problem })));
    return answer;
  }

  /** The document's text with its changes. What would be read otherwise is refused. */
  #edited(
    source: TextDocument,
    parsed: Document.Parsed,
    { written, changes }: { readonly written: Written; readonly changes: readonly Change[] },
  ): string {
    const { text } = source;
    const edited = editText(text, parsed, changes);
    const wanted = changed(written, changes);
    if (edited !== undefined) {
      const again = parseDocument(edited, { schema: "failsafe", merge: true, version: "1.2" });
      if (
        again.errors.length === 0 &&
        isDeepStrictEqual(again.toJS({ maxAliasCount: 10_000 }), wanted)
      )
        return edited;
    }
    this.problems.push({
      place: this.resources.at(-1) ?? this.#place(source, "", undefined),
      message:
        "what Mayfly adds cannot be written here without a change to something else; write out anchors, aliases and << of the pod template",
    });
    return text;
  }
}

const isOurs = (annotation: string): boolean => {
  if (!annotation.startsWith(PREFIX) || annotation === INJECTED) return false;
  const name = annotation.slice(PREFIX.length);
  return (
    POD_ANNOTATIONS.some((each) => each === name) ||
    LOGIN_ANNOTATIONS.some((each) => name.startsWith(`${each}-`))
  );
};
