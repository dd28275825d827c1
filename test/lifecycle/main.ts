import build from "../support/build-setup.ts";
import { type SynthesizedConfigurations, synthesizeAll } from "./configurations.ts";
import type { Scene } from "./scene.ts";
import { Stage } from "./stage.ts";
import { DEAD_SERVER, deleteUnderLoad, LIFE, type Step } from "./steps.ts";
import { header, type Row, rendered } from "./table.ts";

/*
 * The life of a stack on the local runner, as a table: `npm run test:lifecycle`.
 * Exit status: 0 when everything was seen that should be, 1 otherwise.
 */

/** Run a step. @returns its row, and whether the story can go on. */
async function play(step: Step, scene: Scene, began: number): Promise<{ row: Row; fine: boolean }> {
  const row = (seen: readonly string[]): Row => ({
    step: step.name,
    asked: step.asked,
    seen,
    seconds: (Date.now() - began) / 1_000,
  });
  try {
    return { row: row(await step.run(scene)), fine: true };
  } catch (error) {
    return { row: row([`FAILED: ${(error as Error).message}`]), fine: false };
  }
}

async function tell({ assemblies }: SynthesizedConfigurations): Promise<boolean> {
  const began = Date.now();
  console.log(header());
  const stage = await Stage.start(assemblies.first);
  try {
    const scene: Scene = { stage, assemblies, held: new Map() };
    const load = deleteUnderLoad({ leases: 200, sessions: 40 });
    for (const [index, step] of [...LIFE, load, ...DEAD_SERVER].entries()) {
      // the first step is what has just been done
      const { row, fine } = await play(step, scene, index === 0 ? began : Date.now());
      console.log(rendered(row));
      if (!fine) return false;
    }
    return true;
  } finally {
    await stage.runner.stop();
  }
}

const began = Date.now();
console.log("synthesizing six configurations …");
build();
const configurations = synthesizeAll();
try {
  const fine = await tell(configurations);
  const minutes = ((Date.now() - began) / 60_000).toFixed(1);
  console.log(fine ? `all seen, in ${minutes} minutes` : "the story ended early");
  process.exitCode = fine ? 0 : 1;
} finally {
  configurations.remove();
}
