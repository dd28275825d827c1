import { afterAll, beforeAll, expect, test } from "vitest";
import { type SynthesizedConfigurations, synthesizeAll } from "../lifecycle/configurations.ts";
import type { Scene } from "../lifecycle/scene.ts";
import { Stage } from "../lifecycle/stage.ts";
import { deleteUnderLoad, LIFE } from "../lifecycle/steps.ts";

let configurations: SynthesizedConfigurations;
let stage: Stage;
beforeAll(async () => {
  configurations = synthesizeAll();
  stage = await Stage.start(configurations.assemblies.first);
});
afterAll(async () => {
  await stage?.runner.stop();
  configurations?.remove();
});

// `npm run test:lifecycle` tells all of it, with more leases and a server that has crashed
test("live leases have what the configuration says, through updates, rollbacks and deletions", async () => {
  const scene: Scene = { stage, assemblies: configurations.assemblies, held: new Map() };
  const failures: object[] = [];
  for (const step of [...LIFE, deleteUnderLoad({ leases: 40, sessions: 12 })]) {
    const seen = await step.run(scene).catch((error: Error) => [`FAILED: ${error.message}`]);
    failures.push({ step: step.name, failed: seen.filter((each) => each.startsWith("FAILED")) });
  }
  expect(failures).toEqual(failures.map((each) => ({ ...each, failed: [] })));
});
