import type { FileHandle } from "node:fs/promises";
import files from "node:fs/promises";
import type { FileSystem } from "../../client/agent/files/whole-file.ts";

const NAMES = [
  "lstat",
  "open",
  "readFile",
  "readdir",
  "readlink",
  "rename",
  "unlink",
] as const satisfies readonly (keyof FileSystem)[];

/**
 * The file system, told of each step before it is done: what `before` throws is what the step
 * fails with. Steps of an open file are called `file.sync` and so on.
 */
export function watchedFiles(before: (step: string) => void): FileSystem {
  const watched =
    <Given extends readonly unknown[], Answer>(
      step: string,
      call: (...given: Given) => Promise<Answer>,
    ) =>
    async (...given: Given): Promise<Answer> => {
      before(step);
      return call(...given);
    };
  const watchedFile = (file: FileHandle): FileHandle =>
    new Proxy(file, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        const call = value.bind(target) as (...given: unknown[]) => Promise<unknown>;
        // what is not closed stays open, also in a test
        return name === "close" ? call : watched(`file.${String(name)}`, call);
      },
    });
  const all = Object.fromEntries(
    NAMES.map((name) => [name, watched(name, files[name] as () => Promise<unknown>)]),
  );
  return {
    ...(all as unknown as FileSystem),
    open: async (...given: Parameters<FileSystem["open"]>) => {
      before("open");
      return watchedFile(await files.open(...given));
    },
  };
}

/** An error as the system has them. */
export const systemError = (code: string, syscall = "write"): NodeJS.ErrnoException =>
  Object.assign(new Error(`${code}: made up, ${syscall}`), { code, syscall });
