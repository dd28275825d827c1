import type { AnnotatedTemplate, TranslatedAnnotations, Translation } from "../inject.ts";
import { placeWords } from "../manifest/problem.ts";
import { mapIn, textIn } from "../manifest/written.ts";
import { positionWords } from "../manifest/written-annotation.ts";
import { type Annotations, PREFIX } from "../pod/annotations.ts";
import { portsIn } from "../pod/container-ports.ts";
import { containersIn, hasHostNetwork } from "../pod/pod.ts";
import { translateVault, type VaultLine, type VaultPod } from "./translate-vault.ts";
import { type Became, VAULT_PREFIX } from "./vault-annotations.ts";
import type { Targets } from "./vault-targets.ts";

/** A translation, and what `--map` has too little or too much. */
export interface VaultTranslation extends Translation {
  /** Paths that it found no target for, in order. */
  readonly unmapped: ReadonlySet<string>;
  /** Paths with a target that no annotation has named so far. */
  readonly unused: ReadonlySet<string>;
}

/** Annotations of Vault's injector in Mayfly's. @param targets what `--map` says */
export function vaultTranslation(targets: Targets): VaultTranslation {
  const unmapped = new Set<string>();
  const unused = new Set(targets.keys());
  return {
    prefix: VAULT_PREFIX,
    unmapped,
    unused,
    translate: (template) => translate(template, targets, { unmapped, unused }),
  };
}

function translate(
  template: AnnotatedTemplate,
  targets: Targets,
  { unmapped, unused }: { readonly unmapped: Set<string>; readonly unused: Set<string> },
): TranslatedAnnotations {
  const annotations = Object.fromEntries(
    template.annotations.map(({ name, value }) => [name, value]),
  );
  const place = placeWords(template.place);
  const left = (why: string): TranslatedAnnotations => ({
    annotations,
    messages: [`${place}: ${why}; left as it is`],
    problems: [],
  });
  const wish = annotations[`${PREFIX}inject`]?.trim() ?? "true";
  if (wish !== "true") return left(`${PREFIX}inject is ${JSON.stringify(wish)}`);
  const found = translateVault(podOf(template), targets);
  if (found === undefined)
    return left(`${VAULT_PREFIX}agent-inject is not "true", so Vault would not change it`);
  for (const { path } of found.unmapped) unmapped.add(path);
  for (const path of found.paths) unused.delete(path);
  const problems = found.lines.flatMap(({ annotation, position, became }) =>
    became.kind === "refused"
      ? [{ subject: `${positionWords(position)}: ${annotation}`, message: became.why }]
      : [],
  );
  if (problems.length > 0) return { annotations, messages: [], problems };
  return {
    annotations: replaced(annotations, found.added),
    origins: new Map([...found.origins].filter(([name]) => !Object.hasOwn(annotations, name))),
    messages: [
      ...found.lines.map((line) => `${place}: ${lineWords(line)}`),
      ...found.notes.map((note) => `${place}: ${note}`),
    ],
    problems,
  };
}

/** In the order of the text: what is added stands where Vault's first annotation stood. */
function replaced(annotations: Annotations, added: Annotations): Annotations {
  const entries = Object.entries(annotations);
  const isVaults = ([name]: readonly [string, string]): boolean => name.startsWith(VAULT_PREFIX);
  const first = entries.findIndex(isVaults);
  const before = entries.slice(0, first);
  const after = entries.slice(first).filter((entry) => !isVaults(entry));
  return Object.fromEntries([...before, ...Object.entries(added), ...after]);
}

function podOf({ annotations, spec }: AnnotatedTemplate): VaultPod {
  const containers = containersIn(spec);
  const first = containers.find(({ list }) => list === "containers");
  const firstUser = textIn(mapIn(first?.written.securityContext).runAsUser);
  return {
    annotations,
    serviceAccount: textIn(spec.serviceAccountName) || "default",
    sharesProcesses: spec.shareProcessNamespace === "true",
    firstUser: firstUser === "" ? undefined : firstUser,
    hasHostNetwork: hasHostNetwork(spec),
    ports: new Set(portsIn(containers).keys()),
  };
}

const lineWords = ({ annotation, position, became }: VaultLine): string =>
  `line ${position.line}: ${annotation}: ${becameWords(became)}`;

function becameWords(became: Became): string {
  switch (became.kind) {
    case "translated":
      return `now ${became.into.join(", ")}`;
    case "not-needed":
      return `not needed: ${became.why}`;
    case "refused":
      return `refused: ${became.why}`;
  }
}
