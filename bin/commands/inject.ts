import { readFile } from "node:fs/promises";
import { text as textOf } from "node:stream/consumers";
import type { Command } from "commander";
import { addTo } from "../proxy/repeated-option.ts";
import { Exit, Failure } from "../terminal/exit.ts";
import { type Io, say } from "../terminal/io.ts";

interface Options {
  readonly filename: readonly string[];
  readonly image?: string;
}

const STDIN = "-";

/** `mayfly inject`: the agent beside the containers of Kubernetes' manifests. */
export function addInject(program: Command, io: Io): void {
  program
    .command("inject")
    .description("add the agent to the pods of Kubernetes manifests, by their annotations")
    .option("-f, --filename <file>", "a manifest; may be repeated; default: - for stdin", addTo, [])
    .option("--image <image>", "the agent's image, for pods without the annotation mayfly/image")
    .action(async ({ filename, image }: Options) => {
      const { injectAll } = await import("../../client/kubernetes/inject-all.ts");
      const { ManifestError } = await import("../../client/kubernetes/problem.ts");
      const names = filename.length === 0 ? [STDIN] : filename;
      const manifests = [];
      for (const name of names)
        manifests.push({ file: name === STDIN ? "stdin" : name, text: await read(name, io) });
      try {
        const { text, messages } = await injectAll(manifests, { ...(image && { image }) });
        for (const message of messages) say(io, message);
        io.out.write(text);
      } catch (error) {
        if (!(error instanceof ManifestError)) throw error;
        throw new Failure(Exit.config, `nothing was written\n${error.message}`, { cause: error });
      }
    });
}

async function read(name: string, io: Io): Promise<string> {
  if (name === STDIN) {
    if (io.in.isTTY === true)
      throw new Failure(Exit.usage, "stdin is a terminal; name a manifest with -f, or pipe one");
    return textOf(io.in);
  }
  try {
    return await readFile(name, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Failure(Exit.usage, `${name} cannot be read (${code}); name a manifest's file`, {
      cause: error,
    });
  }
}
