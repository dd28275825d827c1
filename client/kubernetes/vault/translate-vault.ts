import {
  type Position,
  positionWords,
  type WrittenAnnotation,
} from "../manifest/written-annotation.ts";
import { type Annotations, INHERITED_USER, PREFIX } from "../pod/annotations.ts";
import {
  DEFAULT_TEMPLATES,
  type DefaultTemplate,
  defaultParts,
  type FilePart,
  templateOf,
  translateTemplate,
} from "./translate-template.ts";
import {
  annotationOf,
  type Became,
  type FileAnnotation,
  type PodFacts,
  type PodSetting,
  truthOf,
  VAULT_PREFIX,
} from "./vault-annotations.ts";
import {
  type ContainerValue,
  RESOURCE_SETTINGS,
  resourcesOf,
  USER_SETTINGS,
  userOf,
} from "./vault-container.ts";
import { kindOfPath, LoginNames, plainPath, type Target, type Targets } from "./vault-targets.ts";

/** What a pod has, as far as its translation needs it. */
export interface VaultPod extends PodFacts {
  readonly annotations: readonly WrittenAnnotation[];
  /** `runAsUser` of the first container. */
  readonly firstUser: string | undefined;
  readonly hasHostNetwork: boolean;
  /** That containers say they listen on. */
  readonly ports: ReadonlySet<number>;
}

/** A line of the report. */
export interface VaultLine {
  readonly annotation: string;
  readonly position: Position;
  readonly became: Became;
}

/** A path that no `--map` names. */
export interface UnmappedPath {
  readonly path: string;
  readonly position: Position;
}

/** What becomes of the Vault annotations of one pod. */
export interface Translation {
  /** In the order of the manifest; a template that is refused may have several. */
  readonly lines: readonly VaultLine[];
  readonly unmapped: readonly UnmappedPath[];
  /** Every path in Vault that something is read from. */
  readonly paths: ReadonlySet<string>;
  /** To set beside those of Mayfly's that are there. Whole only if nothing is refused. */
  readonly added: Annotations;
  /** What was added that no annotation of Vault's says, in words. */
  readonly notes: readonly string[];
  /** What says an annotation of Mayfly's that may be added, in words with its line. */
  readonly origins: ReadonlyMap<string, string>;
}

/** Where Vault's injector puts files. */
const VAULT_PATH = "/vault/secrets";
const FIRST_PORT = 5_432;

/**
 * Translate the annotations of Vault's injector.
 *
 * @returns undefined if Vault's injector would leave this pod as it is.
 */
export function translateVault(pod: VaultPod, targets: Targets): Translation | undefined {
  const inject = pod.annotations.find(({ name }) => name === `${VAULT_PREFIX}agent-inject`);
  if (inject === undefined || truthOf(inject.value.trim()) === false) return undefined;
  return new VaultTranslator(pod, targets).translate();
}

type FileSettings = Map<FileAnnotation, WrittenAnnotation>;

class VaultTranslator {
  readonly #pod: VaultPod;
  readonly #targets: Targets;
  readonly #lines: VaultLine[] = [];
  readonly #unmapped: UnmappedPath[] = [];
  readonly #paths = new Set<string>();
  readonly #added: Record<string, string> = {};
  readonly #notes: string[] = [];
  readonly #settings = new Map<PodSetting, WrittenAnnotation>();
  readonly #files = new Map<string, FileSettings>();
  readonly #origins = new Map<string, string>();
  /** What says that there is a file, by its name. */
  readonly #sources = new Map<string, WrittenAnnotation>();
  readonly #names = new LoginNames();
  readonly #logins = new Map<string, Target>();

  constructor(pod: VaultPod, targets: Targets) {
    this.#pod = pod;
    this.#targets = targets;
  }

  translate(): Translation {
    this.#sort();
    const path = this.#path();
    this.#podSettings();
    const written = [...this.#files].filter(([name, file]) => this.#file(name, file, path));
    this.#inject(written.length > 0);
    this.#loginAnnotations(path);
    this.#lines.sort(
      (a, b) => a.position.line - b.position.line || a.position.column - b.position.column,
    );
    return {
      lines: this.#lines,
      unmapped: this.#unmapped,
      paths: this.#paths,
      added: this.#added,
      notes: this.#notes,
      origins: this.#origins,
    };
  }

  #sort(): void {
    for (const annotation of this.#pod.annotations) {
      if (!annotation.name.startsWith(VAULT_PREFIX)) continue;
      const place = annotationOf(annotation.name.slice(VAULT_PREFIX.length), annotation.value);
      if (place.kind === "setting") this.#settings.set(place.setting, annotation);
      else if (place.kind === "ruled") this.#line(annotation, place.became(this.#pod));
      else if (place.name === "")
        this.#refuse(annotation, "it names no file; write a name after it, or remove this");
      else {
        const file: FileSettings = this.#files.get(place.name) ?? new Map();
        this.#files.set(place.name, file.set(place.annotation, annotation));
      }
    }
  }

  #path(): string {
    const annotation = this.#settings.get("secret-volume-path");
    const set = this.#set("path", withoutSlash(annotation?.value.trim() || VAULT_PATH));
    const inject = this.#settings.get("agent-inject");
    if (annotation !== undefined) this.#line(annotation, set);
    else if (inject !== undefined) this.#from(inject, "path");
    return this.#valueOf("path") ?? VAULT_PATH;
  }

  #podSettings(): void {
    const containers = this.#settings.get("agent-inject-containers");
    if (containers !== undefined)
      this.#line(containers, this.#set("containers", containers.value.trim()));
    const once = this.#settings.get("agent-pre-populate-only");
    if (once !== undefined)
      this.#line(
        once,
        this.#isOn("agent-pre-populate-only") ? this.#set("init-only", "true") : OFF,
      );
    const form = this.#settings.get("agent-inject-default-template");
    if (form !== undefined)
      this.#line(
        form,
        this.#defaultTemplate() === undefined
          ? refused(`${JSON.stringify(form.value)} is neither; write "map" or "json"`)
          : notNeeded("files without a template of their own have it in theirs"),
      );
    const cases = this.#settings.get("preserve-secret-case");
    if (cases !== undefined) this.#line(cases, notNeeded("the names of files say it"));
    this.#container();
  }

  #container(): void {
    const values = new Map([...this.#settings].map(([setting, { value }]) => [setting, value]));
    this.#ofContainer("resources", resourcesOf(values), RESOURCE_SETTINGS);
    const context = this.#settings.get("agent-set-security-context");
    if (context !== undefined && !this.#isOn("agent-set-security-context")) {
      const inherited = { kind: "value", value: INHERITED_USER } as const;
      this.#ofContainer("user", inherited, ["agent-set-security-context", ...USER_SETTINGS]);
      return;
    }
    if (context !== undefined)
      this.#line(
        context,
        notNeeded("the agent's security context is as the restricted profile wants it"),
      );
    const isSame = this.#isOn("agent-run-as-same-user");
    this.#ofContainer("user", userOf(values, isSame, this.#pod.firstUser), USER_SETTINGS);
  }

  #ofContainer(
    name: "resources" | "user",
    found: ContainerValue,
    settings: readonly PodSetting[],
  ): void {
    const isValue = found.kind === "value" && found.value !== undefined;
    const standing = this.#standing(name);
    const became = standing ?? (isValue ? this.#set(name, found.value ?? "") : OFF);
    for (const setting of settings) {
      const annotation = this.#settings.get(setting);
      if (annotation === undefined) continue;
      const isRefused =
        standing === undefined && found.kind === "refused" && found.setting === setting;
      this.#line(annotation, isRefused ? refused(found.why) : became);
    }
  }

  /** @returns whether Vault would write it. */
  #file(rawName: string, file: FileSettings, path: string): boolean {
    const [source] = (
      ["agent-inject-secret", "agent-inject-template-file", "agent-inject-template"] as const
    )
      .flatMap((each) => file.get(each) ?? [])
      .filter(({ value }) => value.trim() !== "");
    if (source === undefined) {
      for (const annotation of file.values())
        this.#line(
          annotation,
          notNeeded(
            `there is no ${VAULT_PREFIX}agent-inject-secret-${rawName}, so Vault writes no file`,
          ),
        );
      return false;
    }
    const name = this.#keepsCase(file) ? rawName : rawName.toLowerCase();
    const other = this.#sources.get(name);
    if (other === undefined) {
      this.#sources.set(name, source);
      for (const kind of ["file", "mode", "from"]) this.#from(source, `${kind}-${name}`);
      this.#content(name, file);
      this.#fileSettings(name, file, path);
    } else
      this.#refuse(
        source,
        `its file would be ${JSON.stringify(name)}, as that of ${other.name}; write ${VAULT_PREFIX}preserve-secret-case: "true", or another name`,
      );
    return true;
  }

  #content(name: string, file: FileSettings): void {
    const template = notBlank(file.get("agent-inject-template"));
    const templateFile = notBlank(file.get("agent-inject-template-file"));
    const secret = file.get("agent-inject-secret");
    const became = this.#standing(`template-${name}`) ?? this.#standing(`format-${name}`);
    if (became !== undefined) {
      for (const each of [template, templateFile, secret])
        if (each !== undefined) this.#line(each, became);
    } else if (template !== undefined) {
      this.#template(name, template, file);
      if (templateFile !== undefined)
        this.#line(templateFile, notNeeded("the template beside it is used, as Vault does"));
      if (secret !== undefined)
        this.#line(secret, notNeeded("its template says which secrets are in the file"));
    } else if (templateFile !== undefined) {
      this.#refuse(
        templateFile,
        `it is a file of a container of Vault's, which this command cannot read; write its text as ${VAULT_PREFIX}agent-inject-template-${name}`,
      );
      if (secret !== undefined)
        this.#line(secret, notNeeded("its template says which secrets are in the file"));
    } else if (secret !== undefined) this.#default(name, secret);
  }

  #template(name: string, annotation: WrittenAnnotation, file: FileSettings): void {
    const { parts, problems } = translateTemplate(annotation.value, {
      left: file.get("agent-template-left-delim")?.value.trim() || "{{",
      right: file.get("agent-template-right-delim")?.value.trim() || "}}",
    });
    const byHand = `or write ${PREFIX}template-${name} by hand`;
    for (const { offset, words } of problems)
      this.#lines.push({
        annotation: annotation.name,
        position: annotation.at(offset),
        became: refused(`${words}; ${byHand}`),
      });
    if (problems.length === 0)
      this.#line(annotation, this.#setParts(name, parts, annotation.position));
  }

  #default(name: string, secret: WrittenAnnotation): void {
    const path = plainPath(secret.value);
    const form = this.#defaultTemplate();
    if (form === undefined) return;
    if (kindOfPath(path) === "lease")
      this.#line(secret, this.#setParts(name, defaultParts(form, path), secret.position));
    else
      this.#refuse(
        secret,
        `what Vault writes without a template has ${kindOfPath(path) === "key-value" ? "all keys of the secret" : "times of the rotation"} in it; write ${PREFIX}template-${name}, or ${VAULT_PREFIX}agent-inject-template-${name} with the fields that the application reads`,
      );
  }

  #setParts(name: string, parts: readonly FilePart[], position: Position): Became {
    const paths = new Set(parts.flatMap((part) => (part.kind === "field" ? [part.path] : [])));
    for (const path of paths) this.#paths.add(path);
    const missing = [...paths].filter((path) => !this.#targets.has(path));
    for (const path of missing) this.#unmapped.push({ path, position });
    if (missing.length > 0) return refused(`${missing.join(", ")}: no --map names it`);
    const { from, template } = templateOf(parts, (path) => this.#loginOf(path));
    const sets = [
      this.#set(`template-${name}`, template),
      this.#set(`from-${name}`, from.join(",")),
    ];
    return {
      kind: "translated",
      into: sets.flatMap((each) => (each.kind === "translated" ? each.into : [])),
    };
  }

  #loginOf(path: string): string {
    const target = this.#targets.get(path);
    if (target === undefined) throw new RangeError(`nothing takes the place of ${path}`);
    const name = this.#names.of(target);
    this.#logins.set(name, target);
    return name;
  }

  #fileSettings(name: string, file: FileSettings, path: string): void {
    const written = notBlank(file.get("agent-inject-file"));
    if (written !== undefined) {
      const fileName = written.value.trim();
      this.#line(
        written,
        fileName.includes("/") && this.#standing(`file-${name}`) === undefined
          ? refused(
              `${JSON.stringify(fileName)} is in a folder; write a file's name alone, and tell the application`,
            )
          : this.#set(`file-${name}`, fileName),
      );
    }
    const perms = file.get("agent-inject-perms");
    if (perms !== undefined)
      this.#line(
        perms,
        perms.value.trim() === "" ? OFF : this.#set(`mode-${name}`, perms.value.trim()),
      );
    this.#command(name, notBlank(file.get("agent-inject-command")));
    const own = notBlank(file.get("secret-volume-path"));
    if (own !== undefined)
      this.#line(
        own,
        withoutSlash(own.value.trim()) === path
          ? notNeeded("it is the path of the whole pod")
          : refused(`there is one volume, at ${path}; write one path for all files`),
      );
    for (const each of ["agent-template-left-delim", "agent-template-right-delim"] as const) {
      const delimiter = file.get(each);
      if (delimiter !== undefined) this.#line(delimiter, notNeeded("the template was read by it"));
    }
    const missing = file.get("error-on-missing-key");
    if (missing !== undefined)
      this.#line(missing, notNeeded("a field that there is not is found before a lease is taken"));
    const cases = file.get("preserve-secret-case");
    if (cases !== undefined) this.#line(cases, notNeeded("the file's name says it"));
  }

  #command(name: string, annotation: WrittenAnnotation | undefined): void {
    if (annotation === undefined) return;
    const own = `command-${name}`;
    this.#line(
      annotation,
      this.#standing(own) ??
        refused(
          `the agent's image has no shell to run it; behind the proxy nothing need be reloaded: remove this, or write ${PREFIX}${own} with the words of a program of your image`,
        ),
    );
  }

  #keepsCase(file: FileSettings): boolean {
    const own = file.get("preserve-secret-case") ?? this.#settings.get("preserve-secret-case");
    return truthOf(own?.value.trim() ?? "") ?? false;
  }

  #defaultTemplate(): DefaultTemplate | undefined {
    const written = this.#settings.get("agent-inject-default-template")?.value.trim().toLowerCase();
    return DEFAULT_TEMPLATES.find((each) => each === (written || "map"));
  }

  #inject(hasFiles: boolean): void {
    const annotation = this.#settings.get("agent-inject");
    if (annotation === undefined) return;
    if (truthOf(annotation.value.trim()) === undefined)
      this.#refuse(
        annotation,
        `${JSON.stringify(annotation.value)} is neither; write "true" or "false"`,
      );
    else if (hasFiles) this.#line(annotation, this.#set("inject", "true"));
    else
      this.#refuse(
        annotation,
        `no ${VAULT_PREFIX}agent-inject-secret-… says what to write; add one, or write mayfly/… annotations instead`,
      );
  }

  /** The logins, and a proxy for each where there is something to run it. */
  #loginAnnotations(path: string): void {
    const isOnce = this.#valueOf("init-only") === "true";
    const taken = new Set([...this.#pod.ports, ...this.#ownPorts()]);
    for (const [name, { kind, id }] of this.#logins) {
      const paths = [...this.#targets]
        .flatMap(([each, target]) => (target.kind === kind && target.id === id ? [each] : []))
        .join(", ");
      const login = `${kind}-${name}`;
      const words = this.#told(login, id);
      for (const each of [login, `proxy-${name}`])
        this.#origins.set(PREFIX + each, `--map ${paths}`);
      const proxy = isOnce ? [] : [this.#proxy(name, path, taken)];
      this.#notes.push(
        [`${words}: ${this.#valueOf(login) ?? id}, for ${paths}`, ...proxy].join("; "),
      );
    }
  }

  /** @param taken gets the port. */
  #proxy(name: string, path: string, taken: Set<number>): string {
    const proxy = `proxy-${name}`;
    let port = FIRST_PORT;
    while (taken.has(port)) port += 1;
    const words = this.#told(proxy, this.#pod.hasHostNetwork ? "socket" : String(port));
    const at = this.#valueOf(proxy) ?? "";
    taken.add(Number(at));
    return at === "socket"
      ? `${words}: a socket in ${path}/${name}, which libpq takes as the host`
      : `${words}: host 127.0.0.1, port ${at}, sslmode=disable`;
  }

  /** The ports that annotations of Mayfly's name. */
  #ownPorts(): readonly number[] {
    return this.#pod.annotations.flatMap(({ name, value }) =>
      name.startsWith(`${PREFIX}proxy-`) || name === `${PREFIX}secrets-manager`
        ? [Number(value.trim())]
        : [],
    );
  }

  #isOn(setting: PodSetting): boolean {
    return truthOf(this.#settings.get(setting)?.value.trim() ?? "") ?? false;
  }

  /** An annotation of Mayfly's that the pod has: it stands. @param name without the prefix */
  #standing(name: string): Became | undefined {
    const annotation = PREFIX + name;
    return this.#pod.annotations.some((each) => each.name === annotation)
      ? notNeeded(`${annotation} is there, and stands`)
      : undefined;
  }

  /** Of an annotation of Mayfly's that the pod has, or gets. */
  #valueOf(name: string): string | undefined {
    const annotation = PREFIX + name;
    const standing = this.#pod.annotations.find((each) => each.name === annotation);
    return standing?.value.trim() ?? this.#added[annotation];
  }

  /** An annotation of Mayfly's, unless the pod has it. */
  #set(name: string, value: string): Became {
    const standing = this.#standing(name);
    if (standing !== undefined) return standing;
    this.#added[PREFIX + name] = value;
    return { kind: "translated", into: [PREFIX + name] };
  }

  /** Set it, and name it in a note. */
  #told(name: string, value: string): string {
    return PREFIX + name + (this.#set(name, value).kind === "translated" ? "" : " is there");
  }

  #from({ name, position }: WrittenAnnotation, own: string): void {
    this.#origins.set(PREFIX + own, `${positionWords(position)}: ${name}`);
  }

  #refuse(annotation: WrittenAnnotation, why: string): void {
    this.#line(annotation, refused(why));
  }

  #line(annotation: WrittenAnnotation, became: Became): void {
    const { name, position } = annotation;
    if (became.kind === "translated")
      for (const each of became.into) this.#from(annotation, each.slice(PREFIX.length));
    this.#lines.push({ annotation: name, position, became });
  }
}

const notNeeded = (why: string): Became => ({ kind: "not-needed", why });
const refused = (why: string): Became => ({ kind: "refused", why });
const OFF = notNeeded("it is switched off, or empty");

const withoutSlash = (path: string): string => path.replace(/(?<=.)\/+$/, "");

const notBlank = (annotation: WrittenAnnotation | undefined): WrittenAnnotation | undefined =>
  annotation?.value.trim() === "" ? undefined : annotation;
