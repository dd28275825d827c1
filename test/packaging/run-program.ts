import { execFile } from "node:child_process";

/** What a program that has ended leaves behind. */
export interface Ended {
  /** Its exit status, or the name of what kept it from starting. */
  readonly status: number | string;
  readonly out: string;
  readonly err: string;
}

/** Run a program as a user would: with nothing of this environment but where things are. */
export function runProgram(
  file: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  const { PATH = "", HOME = "/" } = process.env;
  const options = {
    env: { PATH, HOME, CDK_VALIDATION: "false", ...env },
    maxBuffer: 64 * 1024 * 1024,
    ...(cwd !== undefined && { cwd }),
  };
  return new Promise((resolve) => {
    execFile(file, [...args], options, (error, out, err) => {
      resolve({ status: error === null ? 0 : (error.code ?? "killed"), out, err });
    });
  });
}
