import { expect, test } from "vitest";
import {
  type Publication,
  type PublishedLogin,
  publish,
} from "../../../client/agent/publication.ts";
import type { Login } from "../../../client/keeper/keeper.ts";
import { Secret } from "../../../core/secret.ts";
import { hours, type Instant, milliseconds, minutes, seconds } from "../../../core/time.ts";
import { FakeKeeper } from "../../support/fake-keeper.ts";
import { A_DAY, keptLease } from "../../support/kept-lease.ts";

/** A publication of a kept lease, in a world whose time is moved. */
function published() {
  const kept = keptLease();
  const looks: Instant[] = [];
  let look = async (): Promise<unknown> => undefined;
  const publication = publish({
    name: "orders/readonly",
    keeper: kept.keeper,
    look: () => {
      looks.push(kept.world.now());
      return look();
    },
    time: kept.machine,
  });
  const followed: string[] = [];
  publication.follow(({ login }) => followed.push(login.id));
  return {
    ...kept,
    publication,
    looks,
    followed,
    read: (signal = new AbortController().signal): Promise<PublishedLogin> =>
      kept.world.result(publication.read(signal)),
    lookBy: (next: typeof look) => {
      look = next;
    },
  };
}

const ids = ({ newest, previous }: Publication) => [newest?.login.id, previous?.login.id];
const [FIRST, SECOND] = ["orders/readonly/mf_1", "orders/readonly/mf_2"];

test("the first login is asked for at once, and told to who follows then and later", async () => {
  const { world, publication, followed } = published();
  expect(publication.newest).toBe(undefined);
  await world.run(seconds(1));
  expect(ids(publication)).toEqual([FIRST, undefined]);
  expect(followed).toEqual([FIRST]);
  expect(publication.newest?.versionId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  const later: string[] = [];
  const stop = publication.follow(({ login }) => later.push(login.id));
  expect(later).toEqual([FIRST]);
  stop();
  await world.run(A_DAY);
  expect(later).toEqual([FIRST]);
  expect(followed).toEqual([FIRST, SECOND]);
});

test("a lease that was thought lost is handed out again when the issuer still has it", async () => {
  const { world, source, publication, followed, names } = published();
  await world.run(minutes(1));
  const lease = source.leases.get(FIRST);
  if (lease === undefined) throw new Error("there is none");
  // a renewal reached the database, and its answer nobody: then the issuer was away
  source.failure = "unavailable";
  lease.expiresAt = (lease.expiresAt + hours(3)) as Instant;
  await world.run(hours(2));
  expect(names()).toContain("lost");
  expect(publication.newest).toBe(undefined);
  source.failure = undefined;
  await world.run(minutes(3));
  expect(ids(publication)).toEqual([FIRST, undefined]);
  expect(followed).toEqual([FIRST, FIRST]);
});

test("a login that was replaced is previous until its end, and is kept alive to it", async () => {
  const { world, source, publication, names } = published();
  await world.run(milliseconds(A_DAY - minutes(30)));
  expect(ids(publication)).toEqual([SECOND, FIRST]);
  const versions = [publication.newest?.versionId, publication.previous?.versionId];
  expect(new Set(versions).size).toBe(2);
  // its last hour began before: without a renewal it would be over by now
  await world.run(minutes(29));
  expect(source.isValid(FIRST)).toBe(true);
  expect(ids(publication)).toEqual([SECOND, FIRST]);
  await world.run(minutes(2));
  expect(ids(publication)).toEqual([SECOND, undefined]);
  expect(names()).not.toContain("failing");
});

test("a lost login is not handed out, and the next comes by itself", async () => {
  const { world, source, keeper, publication, followed } = published();
  await world.run(minutes(1));
  source.end(FIRST);
  const { newest } = publication;
  if (newest === undefined) throw new Error("there is none");
  const seen: (string | undefined)[] = [];
  keeper.on("lost", () => seen.push(publication.newest?.login.id));
  await world.result(keeper.replace(newest.login));
  expect(seen).toEqual([undefined]);
  await world.run(seconds(2));
  expect(ids(publication)).toEqual([SECOND, undefined]);
  expect(followed).toEqual([FIRST, SECOND]);
});

test("a reader looks at the server first, and reads what it was replaced by", async () => {
  const { world, source, keeper, publication, read, lookBy, looks } = published();
  expect((await read()).login.id).toBe(FIRST);
  expect(looks).toEqual([]); // it was issued just now
  await world.run(seconds(10));
  source.end(FIRST);
  lookBy(async () => publication.newest && keeper.replace(publication.newest.login));
  expect((await read()).login.id).toBe(SECOND);
  expect(looks).toHaveLength(1);
});

test("a reader waits two seconds for a server that is silent, then reads what there is", async () => {
  const { world, read, lookBy } = published();
  await read();
  lookBy(() => new Promise(() => {}));
  const before = world.now();
  expect((await read()).login.id).toBe(FIRST);
  expect(world.now() - before).toBe(2_000);
});

test("a reader who is gone reads nothing", async () => {
  const { world, publication, read, lookBy } = published();
  await read();
  lookBy(() => new Promise(() => {}));
  const gone = new AbortController();
  const reading = publication.read(gone.signal);
  await world.run(seconds(1));
  gone.abort(new Error("gone"));
  await expect(world.result(reading)).rejects.toThrow("gone");
});

test("without readers the server is looked at each minute", async () => {
  const { world, looks } = published();
  await world.run(minutes(10));
  expect(looks).toHaveLength(10);
  const first = looks[0] ?? 0;
  expect(looks.map((at) => Math.round((at - first) / 60_000))).toEqual([
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
  ]);
});

test("while the issuer is away there is the login of before, and then none; it comes back", async () => {
  const { world, source, publication, read } = published();
  await read();
  source.failure = "unavailable";
  await world.run(minutes(59));
  expect(ids(publication)).toEqual([FIRST, undefined]);
  await world.run(minutes(2));
  expect(ids(publication)).toEqual([undefined, undefined]);
  await expect(read()).rejects.toThrow("it is unavailable");
  source.failure = undefined;
  await world.run(minutes(2));
  expect(ids(publication)).toEqual([SECOND, undefined]);
});

test("when it is closed, logins are used no more, and nobody is told of others", async () => {
  const { world, publication, read, looks, followed } = published();
  await read();
  await world.run(milliseconds(A_DAY - minutes(30)));
  expect(ids(publication)).toEqual([SECOND, FIRST]);
  const before = looks.length;
  await publication[Symbol.asyncDispose]();
  await world.run(A_DAY);
  expect(looks).toHaveLength(before);
  expect(followed).toEqual([FIRST, SECOND]);
});

const login = (id: string): Login => ({
  id,
  username: id,
  password: new Secret(`password of ${id}`),
  host: "db.example",
  port: 5432,
  dbname: "orders",
  tls: "verify-full",
});

test("what the keeper hands out while it is replaced or lost, is not published after that", async () => {
  const [a, b, c] = [login("a"), login("b"), login("c")];
  const keeper = new FakeKeeper(a);
  const { machine, world } = keptLease();
  const time = machine;
  const publication = publish({ name: "x", keeper, look: async () => {}, time });
  await world.run(seconds(0));
  const current = keeper.current.bind(keeper);
  keeper.current = async (signal) => {
    const old = await current(signal);
    keeper.current = current;
    keeper.next(b, (time.now() + hours(1)) as Instant);
    return old;
  };
  const { signal } = new AbortController();
  expect((await world.result(publication.read(signal))).login.id).toBe("b");
  expect(ids(publication)).toEqual(["b", "a"]);
  expect([keeper.usesOf(a), keeper.usesOf(b)]).toEqual([1, 1]);
  keeper.lose(a, "its time is up");
  keeper.current = async (aborted) => {
    const old = await current(aborted);
    keeper.current = () => Promise.resolve(c);
    keeper.lose(b, "revoked");
    return old;
  };
  expect((await world.result(publication.read(signal))).login.id).toBe("c");
  expect(ids(publication)).toEqual(["c", undefined]);
  expect([keeper.usesOf(a), keeper.usesOf(b), keeper.usesOf(c)]).toEqual([0, 0, 1]);
  await publication[Symbol.asyncDispose]();
  expect(keeper.usesOf(c)).toBe(0);
});
