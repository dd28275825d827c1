import type pg from "pg";
import type { Assemblies } from "./configurations.ts";
import type { Held, Stage } from "./stage.ts";

/** What the steps of the story hand on. */
export interface Scene {
  readonly stage: Stage;
  readonly assemblies: Assemblies;
  /** Leases with open sessions, by `consumer/role`. */
  readonly held: Map<string, Held>;
}

/** Collects what is so, and ends the story at what is not. */
export class Seen {
  readonly facts: string[] = [];

  /** @throws Error with what was found instead. */
  so(fact: string, holds: boolean, found: unknown = "otherwise"): void {
    if (!holds) throw new Error(`not so: ${fact}; found ${JSON.stringify(found)}`);
    this.facts.push(fact);
  }
}

export const READ = "select count(*) from public.orders";
export const CHANGE = "update public.orders set customer = customer where false";

/** What comes of a statement: `fine`, `ended` when its session is gone, or the SQLSTATE. */
export const outcome = (session: pg.Client, statement: string): Promise<string> =>
  session.query(statement).then(
    () => "fine",
    ({ code }: { readonly code?: string }) =>
      code === undefined || code === "57P01" ? "ended" : code,
  );

/** The words of whoever refuses; empty when nobody does. */
export const refusal = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => "",
    (error: Error) => error.message,
  );

export function heldAs({ held }: Scene, name: string): Held {
  const found = held.get(name);
  if (found === undefined) throw new Error(`no lease is held as ${name}`);
  return found;
}

/** Get a lease and open a session with it. */
export async function hold(scene: Scene, ...names: string[]): Promise<void> {
  for (const name of names) {
    const [consumer = "", role = ""] = name.split("/");
    scene.held.set(name, await scene.stage.hold(consumer, role));
  }
}

export async function statusIs({ stage }: Scene, seen: Seen, wanted: string): Promise<void> {
  const status = await stage.status();
  seen.so(wanted === "gone" ? "the stack is gone" : wanted, status === wanted, status);
}

/** The sessions that these leases have opened still answer. */
export async function goOn(scene: Scene, seen: Seen, ...names: string[]): Promise<void> {
  const found = new Map<string, string>();
  for (const name of names) found.set(name, await outcome(heldAs(scene, name).session, READ));
  const fine = [...found.values()].every((each) => each === "fine");
  seen.so(`${names.length} open sessions go on: ${names.join(", ")}`, fine, [...found]);
}

/** The session of a lease has been ended, and it opens no other. */
export async function hasEnded(scene: Scene, seen: Seen, name: string): Promise<void> {
  const { credential, session } = heldAs(scene, name);
  const found = await outcome(session, READ);
  seen.so(`ended: the session of ${name}`, found === "ended", found);
  const again = await refusal(scene.stage.logIn(credential));
  seen.so("its login is refused", again.includes("password authentication failed"), again);
  scene.held.delete(name);
}

/** What a deletion must leave: nothing. */
export async function nothingIsLeft(scene: Scene, seen: Seen, group: string): Promise<void> {
  await statusIs(scene, seen, "gone");
  const { roles, sessions, databases } = await scene.stage.remains();
  seen.so("no role mf_… was left, of a lease or other", roles.length === 0, roles);
  seen.so("no session and no database mayfly was left", sessions + databases === 0, {
    sessions,
    databases,
  });
  const schedules = await scene.stage.schedulesIn(group);
  seen.so("no schedule is left, and no schedule group", schedules === undefined, schedules);
}
