import { setImmediate } from "node:timers/promises";
import type { Invoke, Invoked } from "../../client/keeper/sources/invoke.ts";
import { MayflyError } from "../../core/errors.ts";
import {
  type Duration,
  type Instant,
  iso,
  milliseconds,
  minutes,
  seconds,
} from "../../core/time.ts";
import type { Alias, Issuer } from "./leases.ts";
import { runAs, type TestDatabase } from "./provisioned.ts";
import { VirtualWorld } from "./virtual-time.ts";

const TIMES = ["issuedAt", "expiresAt", "maxExpiresAt", "refreshAfter"] as const;

/** The server's own time passes meanwhile, and is not moved back. */
const PASSES_ANYWAY = seconds(1);

/**
 * A database whose time can be moved: its leases become older instead, and what issuers answer is
 * told by the moved clock. Whoever waits, waits in the world, in steps of five minutes.
 */
export class MovedDatabase {
  readonly world = new VirtualWorld(Date.now() as Instant, {
    tick: minutes(5),
    settle: () => this.#quiet(),
  });
  readonly #test: TestDatabase;
  /** One function instance serves one call after the other. */
  readonly #instances: { readonly issuer: Issuer; free: Promise<unknown> }[];
  #turn = 0;
  #running = 0;
  /** By how much the world's time is ahead of the server's. */
  #ahead = 0;
  #aging: Promise<void> = Promise.resolve();

  constructor(test: TestDatabase, issuers: readonly Issuer[]) {
    this.#test = test;
    this.#instances = issuers.map((issuer) => ({ issuer, free: Promise.resolve() }));
  }

  /** Lambda, with a payload as its clients get it. */
  invoke(alias: Alias): Invoke {
    return async (_, event) => {
      this.#turn += 1;
      const instance = this.#instances[this.#turn % this.#instances.length];
      if (instance === undefined) throw new Error("there is no instance");
      this.#running += 1;
      this.#catchUp();
      const aged = this.#aging;
      const call = instance.free
        .then(() => aged)
        .then(() => this.#ask(instance.issuer, alias, event));
      instance.free = call;
      return call.finally(() => {
        this.#running -= 1;
      });
    };
  }

  /** Until no call runs. */
  async #quiet(): Promise<void> {
    do {
      await Promise.all(this.#instances.map(({ free }) => free));
      await setImmediate();
    } while (this.#running > 0);
  }

  async #ask(issuer: Issuer, alias: Alias, event: object): Promise<Invoked> {
    try {
      // as JSON: undefined fields are not sent
      const answer = await issuer.ask(alias, JSON.parse(JSON.stringify(event)));
      const payload: Record<string, unknown> = { ...answer };
      for (const each of TIMES)
        if (typeof payload[each] === "string")
          payload[each] = iso((Date.parse(payload[each]) + this.#ahead) as Instant);
      return { payload, isError: false };
    } catch (error) {
      if (!(error instanceof MayflyError)) throw error;
      const { name, message } = error;
      return { payload: { errorType: name, errorMessage: message }, isError: true };
    }
  }

  /** The first call after time has moved makes the leases older: nobody else calls then. */
  #catchUp(): void {
    const by = this.world.now() - Date.now() - this.#ahead;
    if (by < PASSES_ANYWAY) return;
    this.#ahead += by;
    this.#aging = runAs(this.#test.superuser(), aged(this.#test.tag, milliseconds(by))).then(
      () => {},
    );
  }
}

/** Every lease of a stack, made and ending `by` earlier than it did. */
const aged = (tag: string, by: Duration): string =>
  `do $$ declare r record; begin
     for r in select rolname, rolvaliduntil, shobj_description(oid, 'pg_authid')::jsonb as said
         from pg_roles where rolname ~ '^mf_${tag}_.*_[a-z0-9]{22}$' loop
       execute format('alter role %I valid until %L', r.rolname,
         r.rolvaliduntil - interval '${by} ms');
       execute format('comment on role %I is %L', r.rolname, r.said
         || jsonb_build_object('issued', (r.said ->> 'issued')::int8 - ${by},
           'max', (r.said ->> 'max')::int8 - ${by}));
     end loop; end $$`;
