import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import type { Command } from "commander";
import type { VaultTranslation } from "../../client/kubernetes/vault/vault-translation.ts";
import { addTo } from "../proxy/repeated-option.ts";
import { Exit, Failure } from "../terminal/exit.ts";
import { type Io, say } from "../terminal/io.ts";

interface Options {
  readonly filename: readonly string[];
  readonly image?: string;
  readonly fromVault?: boolean;
  readonly map: readonly string[];
}

const STDIN = "-";

/** `mayfly inject`: the agent beside the containers of Kubernetes' manifests. */
export function addInject(program: Command, io: Io): void {
  program
    .command("inject")
    .description("add the agent to the pods of Kubernetes manifests, by their annotations")
    .option("-f, --filename <file>", "a manifest; may be repeated; default: - for stdin", addTo, [])
    .option("--image <image>", "the agent's image, for pods without the annotation mayfly/image")
    .option("--from-vault", "translate the annotations of Vault's injector first")
    .option("--map <path=login>", "what takes the place of a path in Vault; repeat", addTo, [])
    .action(async ({ filename, image, fromVault, map }: Options) => {
      const { injectAll } = await import("../../client/kubernetes/inject-all.ts");
      const { mapOptions } = await import("../../client/kubernetes/vault/vault-targets.ts");
      const { ManifestError } = await import("../../client/kubernetes/manifest/problem.ts");
      const translation = await translationOf(fromVault === true, map);
      const names = filename.length === 0 ? [STDIN] : filename;
      const manifests = [];
      for (const name of names)
        manifests.push({ file: name === STDIN ? "stdin" : name, text: await read(name, io) });
      try {
        const { text, messages } = await injectAll(manifests, {
          ...(image && { image }),
          ...(translation && { translation }),
        });
        for (const message of [...messages, ...unusedMaps(translation)]) say(io, message);
        io.out.write(text);
      } catch (error) {
        if (!(error instanceof ManifestError)) throw error;
        const missing = [...(translation?.unmapped ?? [])];
        const lines = [
          "nothing was written",
          error.message,
          ...unusedMaps(translation),
          ...(missing.length === 0 ? [] : [`add ${mapOptions(missing)}`]),
        ];
        throw new Failure(Exit.config, lines.join("\n"), { cause: error });
      }
    });
}

/** What `--map` names and no annotation does: the path may be misspelled. */
const unusedMaps = (translation: VaultTranslation | undefined): readonly string[] =>
  [...(translation?.unused ?? [])].map(
    (path) =>
      `--map ${path}: no annotation of Vault's that was translated names this path; correct it, or leave it out`,
  );

/** What `--from-vault` and `--map` say. */
async function translationOf(
  isFromVault: boolean,
  map: readonly string[],
): Promise<VaultTranslation | undefined> {
  if (!isFromVault && map.length > 0)
    throw new Failure(Exit.usage, "--map is for --from-vault; add that, or leave out --map");
  if (!isFromVault) return undefined;
  const { parseTargets } = await import("../../client/kubernetes/vault/vault-targets.ts");
  const { vaultTranslation } = await import("../../client/kubernetes/vault/vault-translation.ts");
  return vaultTranslation(parseTargets(map));
}

async function read(name: string, io: Io): Promise<string> {
  if (name === STDIN) {
    if (io.in.isTTY === true)
      throw new Failure(Exit.usage, "stdin is a terminal; name a manifest with -f, or pipe one");
    return textOf("stdin", await buffer(io.in));
  }
  let bytes: Buffer;
  try {
    bytes = await readFile(name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const shown = name === "" ? '""' : name;
    throw new Failure(Exit.usage, `${shown} cannot be read (${code}); name a manifest's file`, {
      cause: error,
    });
  }
  return textOf(name, bytes);
}

/** Other encodings would be written as something else. */
function textOf(name: string, bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new Failure(Exit.config, `${name} is not in UTF-8; save it so, and try again`, {
      cause: error,
    });
  }
}
