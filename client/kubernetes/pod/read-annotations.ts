import { AGENT_IMAGE } from "../../../core/agent-image.ts";
import { DATABASE_NAME, SECRET_NAME } from "../../../core/names.ts";
import {
  type Annotations,
  INHERITED_USER,
  INJECTED,
  LOGIN_ANNOTATIONS,
  type LoginAnnotation,
  POD_ANNOTATIONS,
  type PodAnnotation,
  PREFIX,
} from "./annotations.ts";
import { parsedJson } from "./parsed-json.ts";
import { amountOf, LEAST_MEMORY } from "./quantity.ts";
import { suggestionFor } from "./suggestion.ts";
import type { WantedAgent, WantedFile, WantedLogin } from "./wanted.ts";

/** @param annotation its whole name. Undefined: all of them. */
export type ReportAnnotation = (annotation: string | undefined, message: string) => void;

/** Login and file names: what Kubernetes and the agent both take. */
const NAME = /^[A-Za-z0-9](?:[\w.-]{0,50}[A-Za-z0-9])?$/;

/** Read the annotations of a pod whose `mayfly/inject` is `"true"`. Problems are reported. */
export function readAnnotations(annotations: Annotations, report: ReportAnnotation): WantedAgent {
  const { pod, named } = sortAnnotations(annotations, report);
  const logins = loginsIn(named, report);
  const files = filesIn(named, logins, report);
  const secretsManager = portIn(pod.get("secrets-manager"), "secrets-manager", report);
  const form = formIn(pod, report);
  checkUse({ logins, files, form }, { pod, named }, report);
  const resources = pod.get("resources");
  return {
    logins,
    files,
    containers: namesIn(pod.get("containers")),
    form,
    path: pathIn(pod.get("path"), report),
    secretsManager,
    image: imageIn(pod.get("image"), report),
    user: userIn(pod.get("user"), report),
    resources: resources === undefined ? undefined : resourcesIn(resources, report),
  };
}

interface Sorted {
  readonly pod: ReadonlyMap<PodAnnotation, string>;
  readonly named: Named;
}

/** By the end of their names. */
type Named = ReadonlyMap<string, ReadonlyMap<LoginAnnotation, string>>;

const isPodAnnotation = (name: string): name is PodAnnotation =>
  POD_ANNOTATIONS.some((each) => each === name);

const isLoginAnnotation = (name: string): name is LoginAnnotation =>
  LOGIN_ANNOTATIONS.some((each) => each === name);

function sortAnnotations(annotations: Annotations, report: ReportAnnotation): Sorted {
  const pod = new Map<PodAnnotation, string>();
  const named = new Map<string, Map<LoginAnnotation, string>>();
  for (const [annotation, value] of Object.entries(annotations)) {
    if (!annotation.startsWith(PREFIX) || annotation === INJECTED) continue;
    const written = annotation.slice(PREFIX.length);
    const dash = written.indexOf("-");
    const [kind, name] =
      dash === -1 ? [written, ""] : [written.slice(0, dash), written.slice(dash + 1)];
    if (isPodAnnotation(written)) pod.set(written, value.trim());
    else if (!isLoginAnnotation(kind)) report(annotation, unknownWords(written, kind, name));
    else if (!NAME.test(name))
      report(
        annotation,
        name === ""
          ? `has no name; write the login's after it, e.g. ${PREFIX}${kind}-orders`
          : `"${name}" is no name of a login or a file; write up to 52 of A-Z, a-z, 0-9 and ._-, beginning and ending with a letter or digit`,
      );
    else {
      const known = named.get(name) ?? new Map<LoginAnnotation, string>();
      named.set(name, known.set(kind, kind === "template" ? value : value.trim()));
    }
  }
  return { pod, named };
}

function unknownWords(written: string, kind: string, name: string): string {
  const podWord = suggestionFor(written, POD_ANNOTATIONS);
  const loginWord = name === "" ? undefined : suggestionFor(kind, LOGIN_ANNOTATIONS);
  const meant = podWord ?? (loginWord === undefined ? undefined : `${loginWord}-${name}`);
  if (meant !== undefined) return `is no annotation of Mayfly's; write ${PREFIX}${meant}`;
  const all = [...POD_ANNOTATIONS, ...LOGIN_ANNOTATIONS.map((each) => `${each}-<name>`)];
  return `is no annotation of Mayfly's; there are ${all.join(", ")}`;
}

/**
 * Whether a secret is named as configurations name a rotated one, `orders/reports`. CloudFormation
 * gives those that a stack makes other names, so this would be found at the agent's start alone.
 */
function isConfigurationName(secret: string): boolean {
  const [database = "", name = "", ...others] = secret.split("/");
  return others.length === 0 && DATABASE_NAME.test(database) && SECRET_NAME.test(name);
}

function loginsIn(named: Named, report: ReportAnnotation): readonly WantedLogin[] {
  return [...named].flatMap(([name, values]): WantedLogin[] => {
    const of = (kind: LoginAnnotation): string => `${PREFIX}${kind}-${name}`;
    const lease = values.get("lease");
    const secret = values.get("secret");
    if (lease !== undefined && secret !== undefined)
      report(of("secret"), `${of("lease")} is there too; choose another name for one of them`);
    const kind = lease === undefined ? "secret" : "lease";
    const ttl = values.get("ttl");
    if (ttl !== undefined && lease === undefined)
      report(
        of("ttl"),
        `is for leases, and there is no ${of("lease")}; write that too, or remove this`,
      );
    if (secret !== undefined && isConfigurationName(secret))
      report(
        of("secret"),
        `${shown(secret)} may be a rotated secret's name in a configuration, which Secrets Manager does not know; write the secret's ARN, the stack's output that ends in SecretArn, or "name:${secret}" if Secrets Manager has this very name`,
      );
    const source = lease ?? secret;
    if (source === undefined) {
      if (values.has("proxy"))
        report(of("proxy"), `there is no login "${name}"; write ${of("lease")} or ${of("secret")}`);
      return [];
    }
    const proxy = values.get("proxy");
    return [
      {
        kind,
        name,
        source: lease ?? source.replace(/^name:/, ""),
        ttl: lease === undefined ? undefined : ttl,
        proxy: proxy === "socket" ? proxy : portIn(proxy, `proxy-${name}`, report, ', or "socket"'),
      },
    ];
  });
}

const OF_FILES = ["template", "format", "file", "from", "mode", "command"] as const;

function filesIn(
  named: Named,
  logins: readonly WantedLogin[],
  report: ReportAnnotation,
): readonly WantedFile[] {
  const files = [...named].flatMap(([name, values]): WantedFile[] => {
    const of = (kind: LoginAnnotation): string => `${PREFIX}${kind}-${name}`;
    const given = OF_FILES.find((kind) => values.has(kind));
    if (given === undefined) return [];
    const { template, format, file = name, from = name } = Object.fromEntries(values);
    if (template !== undefined && format !== undefined)
      report(of("format"), `${of("template")} is there too; remove one of them`);
    if (template === undefined && format === undefined) {
      report(of(given), `says of no file; write ${of("template")} or ${of("format")} too`);
      return [];
    }
    if (!/^[\w.-]{1,200}$/.test(file) || file.startsWith("."))
      report(
        of("file"),
        `${JSON.stringify(file)} is no file's name; write up to 200 of A-Z, a-z, 0-9 and ._-, beginning with no dot`,
      );
    const known = logins.map((each) => each.name);
    const wanted = namesIn(from) ?? [];
    for (const each of wanted.filter((login) => !known.includes(login)))
      report(
        values.has("from") ? of("from") : of(given),
        `there is no login "${each}"; write ${PREFIX}lease-${each} or ${PREFIX}secret-${each}, or name another with ${of("from")}`,
      );
    const command = values.get("command");
    return [
      {
        name,
        file,
        from: wanted,
        content:
          template === undefined
            ? { kind: "format", format: format ?? "" }
            : { kind: "template", text: template },
        mode: values.get("mode"),
        command: command === undefined ? undefined : commandIn(of("command"), command, report),
      },
    ];
  });
  for (const [index, { name, file }] of files.entries()) {
    if (logins.some((login) => login.proxy === "socket" && login.name === file))
      report(
        `${PREFIX}file-${name}`,
        `"${file}" is the folder of the socket of ${PREFIX}proxy-${file}; write another name`,
      );
    const first = files.slice(0, index).find((each) => each.file === file);
    if (first !== undefined)
      report(
        `${PREFIX}file-${name}`,
        `"${file}" is written by the annotations of "${first.name}" too; choose another name`,
      );
  }
  return files;
}

function commandIn(
  annotation: string,
  text: string,
  report: ReportAnnotation,
): readonly string[] | undefined {
  const { value: words, fault } = parsedJson(text);
  if (Array.isArray(words) && words.length > 0 && words.every((each) => typeof each === "string"))
    return words;
  report(
    annotation,
    `${shown(text)} is no command${because(fault)}; write a JSON list of words, e.g. '["touch", "/run/x"]'`,
  );
  return undefined;
}

function portIn(
  text: string | undefined,
  annotation: string,
  report: ReportAnnotation,
  orElse = "",
): number | undefined {
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  // below 1024, a user other than root may not listen everywhere
  if (port >= 1_024 && port <= 65_535) return port;
  report(`${PREFIX}${annotation}`, `${shown(text)} is no port; write 1024 to 65535${orElse}`);
  return undefined;
}

function formIn(
  pod: ReadonlyMap<PodAnnotation, string>,
  report: ReportAnnotation,
): WantedAgent["form"] {
  const isOnce = flagIn(pod, "init-only", report) ?? false;
  const isNative = flagIn(pod, "native", report) ?? true;
  if (isOnce) return "once";
  return isNative ? "sidecar" : "both";
}

function flagIn(
  pod: ReadonlyMap<PodAnnotation, string>,
  name: PodAnnotation,
  report: ReportAnnotation,
): boolean | undefined {
  const text = pod.get(name);
  if (text === undefined || text === "true" || text === "false") return text && text === "true";
  report(`${PREFIX}${name}`, `${shown(text)} is neither; write "true" or "false"`);
  return undefined;
}

/** That each login is handed out, and each annotation has an effect. */
function checkUse(
  { logins, files, form }: Pick<WantedAgent, "logins" | "files" | "form">,
  { pod, named }: Sorted,
  report: ReportAnnotation,
): void {
  const runsOn = form !== "once";
  const alone = `nothing runs beside the containers with ${PREFIX}init-only; remove one of the two`;
  const hasPort = pod.has("secrets-manager");
  if (hasPort && !runsOn) report(`${PREFIX}secrets-manager`, alone);
  if (logins.length === 0)
    report(undefined, `there is no login; write ${PREFIX}lease-<name> or ${PREFIX}secret-<name>`);
  for (const { kind, name } of logins) {
    const hasProxy = named.get(name)?.has("proxy") ?? false;
    if (hasProxy && !runsOn) report(`${PREFIX}proxy-${name}`, alone);
    const isInFile = files.some(({ from }) => from.includes(name));
    if (!hasProxy && !isInFile && !hasPort)
      report(
        `${PREFIX}${kind}-${name}`,
        `nothing hands it out; write ${PREFIX}proxy-${name}, ${PREFIX}format-${name}, ${PREFIX}template-${name} or ${PREFIX}secrets-manager`,
      );
  }
}

const namesIn = (text: string | undefined): readonly string[] | undefined =>
  text
    ?.split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");

/** Where the volume is mounted unless an annotation says so. */
const PATH = AGENT_IMAGE.folder;

/** Folders of the agent or the system, which a volume would hide. */
const HIDDEN =
  /^\/(?:(?:bin|boot|etc|etc\/ssl|home|lib|lib64|opt|root|run|sbin|srv|tmp|usr|var|var\/run)|(?:dev|nodejs|opt\/mayfly|proc|sys|(?:var\/)?run\/secrets)(?:\/.*)?)$/;

function pathIn(text: string | undefined, report: ReportAnnotation): string {
  if (text === undefined) return PATH;
  if (HIDDEN.test(text)) {
    report(
      `${PREFIX}path`,
      `the volume would hide what else is in ${text}; write a folder of its own, e.g. "${PATH}"`,
    );
    return PATH;
  }
  if (/^(?:\/[\w-][\w.-]*){1,20}$/.test(text) && text.length <= 60) return text;
  report(
    `${PREFIX}path`,
    `${shown(text)} is no path of a folder; write it from the root, e.g. "${PATH}", with at most 60 characters`,
  );
  return PATH;
}

function imageIn(text: string | undefined, report: ReportAnnotation): string | undefined {
  if (text === undefined || /^[^\s"']{1,500}$/.test(text)) return text;
  report(`${PREFIX}image`, `${shown(text)} is no image; write registry/repository:tag`);
  return undefined;
}

/** What Kubernetes takes. */
const LARGEST_ID = 2 ** 31 - 1;

function userIn(text: string | undefined, report: ReportAnnotation): WantedAgent["user"] {
  if (text === undefined || text === INHERITED_USER) return text;
  const [, user, group] = /^([1-9]\d{0,9}):(\d{1,10})$/.exec(text) ?? [];
  const made = { user: Number(user), group: Number(group) };
  if (made.user <= LARGEST_ID && made.group <= LARGEST_ID) return made;
  report(
    `${PREFIX}user`,
    `${shown(text)} is no user; write numbers of user and group, e.g. "1000:1000", and not root's, or "${INHERITED_USER}"`,
  );
  return undefined;
}

/** How much of each, by its name. A text: what is no quantity, in words. */
function amountsIn(value: unknown, key: string): ReadonlyMap<string, number> | string {
  if (!isRecord(value)) return `${key} is no map`;
  const amounts = new Map<string, number>();
  for (const [name, each] of Object.entries(value)) {
    const isQuantity = typeof each === "number" || typeof each === "string";
    const amount = isQuantity ? amountOf(String(each)) : undefined;
    if (amount === undefined || amount < 0)
      return `${key}.${name} is ${shown(JSON.stringify(each))}, which is no quantity`;
    amounts.set(name, amount);
  }
  return amounts;
}

const RESOURCES = ["requests", "limits"];

/** @returns words, if they are none. */
function amountsOfResources(
  value: unknown,
): { readonly [key in "limits" | "requests"]: ReadonlyMap<string, number> } | string {
  if (!isRecord(value)) return "it is no map";
  const other = Object.keys(value).find((key) => !RESOURCES.includes(key));
  if (other !== undefined) return `${shown(other)} is neither requests nor limits`;
  const requests = amountsIn(value.requests ?? {}, "requests");
  const limits = amountsIn(value.limits ?? {}, "limits");
  if (typeof requests === "string") return requests;
  return typeof limits === "string" ? limits : { requests, limits };
}

function resourcesIn(
  text: string,
  report: ReportAnnotation,
): Readonly<Record<string, unknown>> | undefined {
  const { value, fault } = parsedJson(text);
  const amounts = fault ?? amountsOfResources(value);
  if (isRecord(value) && typeof amounts !== "string") {
    const { requests, limits } = amounts;
    for (const [name, amount] of requests)
      if (amount > (limits.get(name) ?? amount))
        report(
          `${PREFIX}resources`,
          `${shown(text)} requests more ${name} than its limit; request less, or raise the limit`,
        );
    if ((limits.get("memory") ?? LEAST_MEMORY) < LEAST_MEMORY)
      report(
        `${PREFIX}resources`,
        `${shown(text)} is too little memory for the agent, which takes 80 to 100 MB; write a limit of "128Mi" or more`,
      );
    return value;
  }
  report(
    `${PREFIX}resources`,
    `${shown(text)} are no resources${because(typeof amounts === "string" ? amounts : undefined)}; write JSON, e.g. '{"requests": {"memory": "96Mi"}, "limits": {"memory": "256Mi"}}'`,
  );
  return undefined;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const because = (reason: string | undefined): string =>
  reason === undefined ? "" : ` (${reason})`;

/** A value, as messages show it. */
export const shown = (text: string): string =>
  JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
