import { readFileSync } from "node:fs";
import { inject } from "vitest";
import { eventually } from "./eventually.ts";

/** How the synthesis of the shipped stack, which began with the run, has ended. */
export type Outcome = { readonly folder: string } | { readonly failure: string };

/** Milliseconds: a machine that is busy with the first tests takes its time. */
const LONGEST_SYNTHESIS = 200_000;

/** Folder of the synthesized stack of `mayfly.config.ts`. @throws Error if it was not synthesized. */
export async function shippedAssembly(): Promise<string> {
  const file = inject("assemblyOutcome");
  const read = (): Outcome => JSON.parse(readFileSync(file, "utf8")) as Outcome;
  const outcome = await eventually(read, { within: LONGEST_SYNTHESIS });
  if ("failure" in outcome) throw new Error(outcome.failure);
  return outcome.folder;
}
