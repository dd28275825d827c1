import { rotate } from "../../core/rotation/rotate.ts";
import type { RotationStep } from "../../core/rotation/rotation-request.ts";
import { ROTATION_STEPS } from "../../core/rotation/rotation-request.ts";
import type { RotationDeps } from "../../core/rotation/versions.ts";
import { type OpenSession, openSession } from "../../lambda/postgres/connection/session.ts";
import { rotationServers } from "../../lambda/postgres/rotation/servers.ts";
import { crashAt, type Side } from "../faults/points.ts";
import { type RotationScene, rdsOf } from "./rotations.ts";

/** What became of one rotation whose function was killed once. */
export interface CrashRow {
  readonly strategy: string;
  readonly step: RotationStep;
  readonly side: Side;
  /** The call at which it was killed, AWS's or SQL's. */
  readonly call: string;
  /** The labels whose login was let in right after the kill. */
  readonly meanwhile: string;
  /** What was not as it must be after the retry. */
  readonly problems: readonly string[];
}

/**
 * Kill the function at each call of a rotation, one rotation after the other, and let Secrets Manager
 * retry each: a new function, the same token, from the first step. With `every`, at each so many calls.
 */
export async function crashEverywhere(
  scene: RotationScene,
  side: Side,
  every = 1,
): Promise<CrashRow[]> {
  const rows: CrashRow[] = [];
  for (let at = 1; at < 80; at += every) {
    const token = scene.secret.begin();
    const killed = await rotateUntilKilled(scene, token, at, side);
    if (killed === undefined) return rows;
    const before = scene.secret.valueOf("AWSPREVIOUS");
    const current = scene.secret.valueOf("AWSCURRENT");
    const meanwhile = await letIn(scene);
    const problems: string[] = [];
    if (meanwhile.length === 0) problems.push("no label's login was let in");
    await scene.rotate({}, token).catch((error: Error) => problems.push(error.message));
    problems.push(...(await problemsOf(scene, [before, current])));
    rows.push({
      ...killed,
      strategy: scene.settings.strategy,
      side,
      meanwhile: meanwhile.join(" "),
      problems,
    });
  }
  throw new Error("the rotation never got through");
}

/** @returns where it was killed; `undefined` when it ended before that many calls. */
async function rotateUntilKilled(
  scene: RotationScene,
  token: string,
  at: number,
  side: Side,
): Promise<Pick<CrashRow, "step" | "call"> | undefined> {
  const { wrap, calls, isDead } = crashAt(at, side);
  const open: OpenSession[] = [];
  const deps = killable(scene, wrap, open);
  for (const step of ROTATION_STEPS)
    try {
      await rotate(deps, { step, secretId: scene.secret.arn, token });
    } catch (error) {
      if (!isDead()) throw error;
      return { step, call: calls[at - 1] ?? "" };
    } finally {
      // a killed function's sockets are closed with it
      await Promise.all(open.splice(0).map((session) => session.end()));
    }
  return undefined;
}

/** Every call to AWS and every exchange with the server goes through `wrap`. */
function killable(
  { deps, ssl, rds }: RotationScene,
  wrap: ReturnType<typeof crashAt>["wrap"],
  open: OpenSession[],
): RotationDeps {
  const network = wrap({
    connect: async (...given: Parameters<typeof openSession>) => {
      const session = await openSession(...given);
      open.push(session);
      return session;
    },
  });
  return {
    ...deps,
    secrets: wrap(deps.secrets),
    servers: rotationServers(
      () => ssl,
      async (login, limits) => wrap(await network.connect(login, limits)),
    ),
    rds: rdsOf(wrap(rds)),
  };
}

async function letIn(scene: RotationScene): Promise<readonly string[]> {
  const found: string[] = [];
  for (const label of ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"])
    if (scene.secret.valueOf(label) && (await scene.refusalOf(label)) === undefined)
      found.push(label);
  return found;
}

async function problemsOf(
  scene: RotationScene,
  [before, current]: readonly unknown[],
): Promise<readonly string[]> {
  const { secret, settings } = scene;
  const refusal = await scene.refusalOf("AWSCURRENT");
  const previous = secret.valueOf("AWSPREVIOUS");
  const hasTwoUsers = settings.usernames.length === 2;
  return [
    refusal !== undefined && `AWSCURRENT is refused (${refusal})`,
    previous !== current && previous !== before && "AWSPREVIOUS is not what was current",
    secret.valueOf("AWSPENDING") !== undefined && "AWSPENDING is left",
    hasTwoUsers && (await scene.refusalOf("AWSPREVIOUS")) !== undefined && "AWSPREVIOUS is refused",
  ].filter((each) => each !== false);
}
