import { isDeepStrictEqual } from "node:util";
import { type Change, changed, type Path } from "./manifest/change.ts";
import { documentsIn, type TextDocument } from "./manifest/documents.ts";
import { editText } from "./manifest/edit-text.ts";
import {
  ManifestError,
  type ManifestProblem,
  placeWords,
  type ResourcePlace,
} from "./manifest/problem.ts";
import { type ReadDocument, readYaml } from "./manifest/read-yaml.ts";
import { listIn, mapIn, textIn, type Written, type WrittenMap } from "./manifest/written.ts";
import { type WrittenAnnotation, writtenAnnotations } from "./manifest/written-annotation.ts";
import { hasAgent, withoutAgent } from "./pod/agent-in-pod.ts";
import {
  type Annotations,
  INJECTED,
  LOGIN_ANNOTATIONS,
  POD_ANNOTATIONS,
  PREFIX,
} from "./pod/annotations.ts";
import { injectPod } from "./pod/inject-pod.ts";
import type { PodTemplate } from "./pod/pod.ts";
import { shown } from "./pod/read-annotations.ts";
import { KINDS, type Resource, resourcesIn } from "./pod/resources.ts";

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

/** Kubernetes' parser takes these for ends of lines, and knows a byte order mark at the start alone. */
const OTHER_ENDS = /[\u0085\u2028\u2029\ufeff]/;

class Injection {
  readonly problems: ManifestProblem[] = [];
  readonly messages: string[] = [];
  readonly resources: ResourcePlace[] = [];
  readonly #options: InjectOptions;
  readonly #isNumbered: boolean;
  /** The last resource that was changed. */
  #last: ResourcePlace | undefined;

  constructor(options: InjectOptions, isNumbered: boolean) {
    this.#options = options;
    this.#isNumbered = isNumbered;
  }

  async document(source: TextDocument): Promise<string> {
    const { text } = source;
    const prefixes = [PREFIX, this.#options.translation?.prefix ?? PREFIX];
    // most documents are not ours, and may have what another parser takes
    const isMentioned = prefixes.some((prefix) =>
      ["/", "\\/", "\\u002f", "\\u002F"].some((slash) => text.includes(prefix.replace("/", slash))),
    );
    if (!isMentioned) return text;
    const read = this.#read(source);
    if (read === undefined) return text;
    const changes: Change[] = [];
    for (const resource of resourcesIn(read.written))
      changes.push(...(await this.#resource(source, read, resource)));
    if (changes.length === 0 || this.problems.length > 0) return text;
    return this.#edited(source, read, changes);
  }

  /** Undefined: it cannot be used, which is reported, or has no annotations that are read here. */
  #read(source: TextDocument): ReadDocument | undefined {
    const place = this.#place(source, "", undefined);
    const read = readOrError(source.text);
    if (read instanceof RangeError) {
      this.problems.push({ place, message: "is nested too deeply to be read; write it flatter" });
      return undefined;
    }
    const { error, written } = read;
    if (error === undefined) return read;
    // kubectl takes keys that are written twice
    if (error.isReadable && this.#annotationIn(written) === undefined) return undefined;
    // kubectl takes several documents of JSON without a line between them
    const orElse = /^\s*\{/.test(source.text)
      ? ', or write "---" before each document of JSON'
      : "";
    this.problems.push({
      place,
      subject: `line ${source.line + error.line - 1}`,
      message: `${error.message}; correct the YAML${orElse}`,
    });
    return undefined;
  }

  /** Some annotation that is read here, wherever it stands. */
  #annotationIn(written: Written): string | undefined {
    if (typeof written !== "object") return undefined;
    const values: readonly Written[] = Array.isArray(written) ? written : Object.values(written);
    const prefix = this.#options.translation?.prefix;
    const own = Object.keys(mapIn(mapIn(written).annotations)).find(
      (name) => isOurs(name) || (prefix !== undefined && name.startsWith(prefix)),
    );
    if (own !== undefined) return own;
    for (const value of values) {
      const found = this.#annotationIn(value);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #place({ number }: TextDocument, kind: string, name: string | undefined): ResourcePlace {
    const { file } = this.#options;
    return { file, document: this.#isNumbered ? number : undefined, kind, name };
  }

  async #resource(
    source: TextDocument,
    read: ReadDocument,
    { at, kind, name, written, template }: Resource,
  ): Promise<readonly Change[]> {
    const place = this.#place(source, kind, name);
    const report = (subject: string | undefined, message: string): void =>
      void this.problems.push({ place, ...(subject !== undefined && { subject }), message });
    const misplaced = Object.keys(mapIn(mapIn(written.metadata).annotations)).filter(isOurs);
    if (template === undefined) {
      const annotation = this.#annotationIn(written);
      if (annotation !== undefined)
        this.messages.push(
          `${placeWords(place)}: has ${annotation}, but no pods where Mayfly looks for them; left as it is. It knows ${KINDS}`,
        );
      return [];
    }
    if (template.length > 0)
      for (const each of misplaced)
        report(
          each,
          `stands at the ${kind}; write it at ${template.join(".")}.metadata.annotations`,
        );
    const pod = template.reduce<Written>((value, key) => mapIn(value)[key] ?? "", written);
    const path = [...at, ...template];
    const annotations = annotationsIn(read, mapIn(mapIn(mapIn(pod).metadata).annotations), report);
    const spec = mapIn(mapIn(pod).spec);
    const claims = listIn(mapIn(written.spec).volumeClaimTemplates).map((each) =>
      textIn(mapIn(mapIn(each).metadata).name),
    );
    const own = { at: path, kind, annotations, spec, claims };
    const translated = this.#translated(source, read, own, place);
    return this.#template(
      { ...own, annotations: translated.annotations },
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
    if (wish !== "true" && hasAgent(pod)) return this.#removed(pod, place);
    if (wish !== "true") {
      if (wish !== "false" && Object.keys(annotations).some(isOurs))
        this.messages.push(
          `${placeWords(place)}: has annotations of Mayfly's, but not ${PREFIX}inject: "true"; left as it is`,
        );
      return [];
    }
    const changes = await injectPod(pod, this.#options.image, report);
    this.resources.push(place);
    this.#last = place;
    const where: Path = [...at, "metadata", "annotations"];
    const names = new Set([...Object.keys(before), ...Object.keys(annotations)]);
    const rewritten = [...names]
      .filter((key) => before[key] !== annotations[key])
      .map((key): Change => ({ kind: "entry", at: where, key, value: annotations[key] }));
    return [...rewritten, ...changes];
  }

  /** A pod that has an agent, and shall have none. */
  #removed(pod: PodTemplate, place: ResourcePlace): readonly Change[] {
    const changes = withoutAgent(pod);
    this.messages.push(
      changes.length > 0
        ? `${placeWords(place)}: ${PREFIX}inject is not "true"; the agent is removed`
        : `${placeWords(place)}: has an agent, but neither ${PREFIX}inject: "true" nor the mark ${INJECTED}; left as it is. Remove the agent's containers, volume and mounts by hand if they were injected`,
    );
    this.#last = place;
    return changes;
  }

  #translated(
    source: TextDocument,
    { parsed }: ReadDocument,
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
  #edited(source: TextDocument, read: ReadDocument, changes: readonly Change[]): string {
    const { text } = source;
    const place = this.#last ?? this.#place(source, "", undefined);
    // in JSON, kubectl reads all of these
    const other = source.line === 1 ? text.replace(/^\ufeff/, "") : text;
    const [end] = /^\s*\{/.test(other) ? [] : (OTHER_ENDS.exec(other) ?? []);
    if (end !== undefined) {
      const code = end.charCodeAt(0).toString(16).padStart(4, "0");
      this.problems.push({
        place,
        message: `its document has the character U+${code.toUpperCase()}, which Kubernetes reads otherwise; remove it, or write "\\u${code}" in double quotes`,
      });
      return text;
    }
    const edited = editText(text, read.parsed, changes);
    if (edited !== undefined) {
      const again = readYaml(edited);
      const isAsWanted =
        again.error === undefined &&
        isDeepStrictEqual(again.written, changed(read.written, changes));
      if (isAsWanted) return edited;
    }
    const remedy = text.endsWith("\n")
      ? "write out anchors, aliases and << of the pod template"
      : "end the file with a line end, or write out anchors, aliases and << of the pod template";
    this.problems.push({
      place,
      message: `what Mayfly adds cannot be written here without a change to something else; ${remedy}`,
    });
    return text;
  }
}

/** What a text is read as, or that it is nested too deeply. */
export function readOrError(text: string): ReadDocument | RangeError {
  try {
    return readYaml(text);
  } catch (error) {
    if (error instanceof RangeError) return error; // the call stack ends
    throw error;
  }
}

/** The annotations of a template. Values that Kubernetes would refuse are reported. */
function annotationsIn(
  { noTexts }: ReadDocument,
  written: WrittenMap,
  report: (subject: string | undefined, message: string) => void,
): Annotations {
  const others = noTexts(written);
  const entries = Object.entries(written);
  for (const [key, value] of entries.filter(([name]) => isOurs(name))) {
    const other = others.get(key);
    if (typeof value !== "string") report(key, "is no text; write it in quotes");
    else if (other !== undefined)
      report(key, `${other} is no text to Kubernetes; write it in quotes, ${shown(other)}`);
  }
  return Object.fromEntries(entries.map(([key, value]) => [key, textIn(value)]));
}

const isOurs = (annotation: string): boolean => {
  if (!annotation.startsWith(PREFIX) || annotation === INJECTED) return false;
  const name = annotation.slice(PREFIX.length);
  return (
    POD_ANNOTATIONS.some((each) => each === name) ||
    LOGIN_ANNOTATIONS.some((each) => name.startsWith(`${each}-`))
  );
};
