import { expect, test } from "vitest";
import { signatureOf } from "../../../lambda/postgres/leases/installation.ts";
import { VERBS, VERBS_VERSION, type Verb } from "../../../lambda/postgres/leases/verbs.ts";

/** What bundles of this version call: changed, it is another version, installed beside this one. */
const SIGNATURES: Readonly<Record<Verb, string>> = {
  annotate: "username text, incarnation oid, unverified float8 -> outcome text",
  blockers: "username text, incarnation oid -> database text, catalog text, kind text, counted int",
  drop_leases: "names text[], incarnations oid[] -> username text, outcome text, at float8",
  end_holders: "pids int[], role text, object oid -> ended int",
  end_sessions:
    "names text[], incarnations oid[], reader boolean -> username text, state text, replays boolean, ended int, remaining int, who jsonb",
  end_sessions_of:
    "names text[], incarnations oid[] -> name text, incarnation oid, ended int, remaining int, who jsonb",
  issue:
    "username text, verifier text, ttl int, replay boolean, min_remaining int, pepper text -> outcome text, counted int, bound int, login text, incarnation text, issued float8, expires float8, max_expires float8, pepper_version text, dbname text, successor boolean",
  latch:
    "names text[], incarnations oid[], only_if_due boolean, end_first boolean -> username text, outcome text, why text, was_open boolean, at float8, expires float8, issued float8, max_expires float8, latched float8, unverified float8, ended int, memberships int",
  lend: "names text[], incarnations oid[], give boolean -> username text, outcome text",
  list: "after text, most int -> now float8, incarnation text, username text, can_login boolean, valid_until float8, privileged boolean, member_of text[], admins text[], record text, administers_itself boolean",
  look: "username text -> now float8, incarnation text, username text, can_login boolean, valid_until float8, privileged boolean, member_of text[], admins text[], record text, administers_itself boolean, sessions int",
  note_watched:
    "swept jsonb -> username text, role text, since float8, news text, server text, looks int, looked float8, missed float8, seen float8, sessions int, applications text[]",
  renew:
    "username text, incarnation oid, ttl int -> outcome text, bound int, issued float8, expires float8, max_expires float8",
  sighting: " -> instance text, timeline int, line text",
  strays: "names text[] -> owner text, database text, catalog text, counted int",
  sweep: " -> kind text, subject text, detail text",
  watched: " -> username text, sessions int, applications text[]",
};

test("the verbs of version 1 are called and answer as its bundles expect", () => {
  const found = Object.keys(VERBS).map((verb) => {
    const { args, result } = signatureOf(verb as Verb);
    return [verb, `${args} -> ${result}`];
  });
  expect(VERBS_VERSION).toBe(1);
  expect(Object.fromEntries(found)).toEqual(SIGNATURES);
});
