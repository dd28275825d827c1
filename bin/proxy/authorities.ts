import { readFileSync } from "node:fs";
import { Exit, Failure } from "../terminal/exit.ts";

/** The content of a PEM file. @throws Failure if there is no certificate in it. */
export function readAuthorities(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  let pem: string;
  try {
    pem = readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Failure(
      Exit.config,
      `--ca: cannot read ${file.slice(-60)} (${code}); name a PEM file`,
      { cause: error },
    );
  }
  if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
  throw new Failure(
    Exit.config,
    `--ca: ${file.slice(-60)} has no certificate in it; name a PEM file of the server's authorities`,
  );
}
