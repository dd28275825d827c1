import { afterAll, beforeAll, test } from "vitest";
import { ROTATION_STEPS } from "../../core/rotation/rotation-request.ts";
import type { RotationStrategy } from "../../core/rotation/settings.ts";
import {
  type SynthesizedStack,
  synthesizeConfigured,
} from "../../local/cloudformation/synthesize.ts";
import { invoke } from "../local/clients.ts";
import { rotationScene } from "../support/rotations.ts";
import { arnOf, attemptsOf, rotatorOf, shippedSecret } from "../support/shipped-secrets.ts";
import { type ShippedStack, startShipped } from "../support/stack.ts";

const ROUNDS = 30;

/** In the shipped stack; RDS's waits would be all that is seen of `master-user`. */
const SECRETS = [
  ["single-user", "reports"],
  ["alternating-users", "shop"],
  ["issuer-login", "issuer"],
] as const;

let assembly: SynthesizedStack;
let stack: ShippedStack;
beforeAll(async () => {
  assembly = await synthesizeConfigured();
  stack = await startShipped({ assembly: assembly.folder });
  await stack.runner.rotations.finished();
});
afterAll(async () => {
  await stack?.stop();
  assembly?.remove();
});

const p50 = (times: readonly number[]): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** How many connections each step opens, refused ones included, after a first rotation. */
async function connectionsOf(strategy: RotationStrategy): Promise<number[]> {
  const scene = await rotationScene(strategy);
  await scene.rotate();
  const token = scene.secret.begin();
  const counts: number[] = [];
  for (const step of ROTATION_STEPS) {
    const before = scene.connections();
    await scene.step(step, {}, token);
    counts.push(scene.connections() - before);
  }
  return counts;
}

/**
 * A rotation by Secrets Manager's four calls of a warm function; and, in turn with it, four calls of the
 * same function for a version that is current already: they ask Secrets Manager once each, and do
 * nothing.
 */
test("what a rotation takes beside four calls that do nothing", async () => {
  for (const [strategy, name] of SECRETS) {
    const secret = shippedSecret(stack, name);
    const SecretId = arnOf(stack.runner, name);
    const rotations: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rotations.push(
        await timed(async () => {
          await secret.rotate();
          await stack.runner.rotations.idle();
        }),
      );
      const { AWSCURRENT: ClientRequestToken } = await secret.labels();
      bare.push(
        await timed(async () => {
          for (const Step of ROTATION_STEPS)
            await invoke(stack.administrator, rotatorOf(stack, name), {
              SecretId,
              ClientRequestToken,
              Step,
            });
        }),
      );
    }
    const failed = attemptsOf(stack, name).filter(({ failure }) => failure !== undefined).length;
    const [whole, nothing] = [p50(rotations), p50(bare)];
    console.log(
      `${strategy.padEnd(17)} p50 of ${ROUNDS}: rotation ${whole.toFixed(0)} ms, four bare calls ${nothing.toFixed(0)} ms, ratio ${(whole / nothing).toFixed(1)}; ${failed} failed`,
    );
  }
});

test("how many connections the steps of a rotation open", async () => {
  for (const strategy of [...SECRETS.map(([each]) => each), "master-user"] as const) {
    const counts = await connectionsOf(strategy);
    const steps = ROTATION_STEPS.map((step, i) => `${step} ${counts[i]}`).join(", ");
    console.log(`${strategy.padEnd(17)} connections: ${steps}`);
  }
});
