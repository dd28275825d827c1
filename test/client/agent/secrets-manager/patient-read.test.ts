import { expect, test } from "vitest";
import { publish } from "../../../../client/agent/publication.ts";
import { readPatiently } from "../../../../client/agent/secrets-manager/patient-read.ts";
import { seconds } from "../../../../core/time.ts";
import { keptLease } from "../../../support/kept-lease.ts";

function patient() {
  const kept = keptLease();
  const { keeper, machine: time, world } = kept;
  kept.source.failure = "unavailable";
  const publication = publish({ name: "orders", keeper, look: async () => {}, time });
  const gone = new AbortController();
  const began = world.now();
  const reading = readPatiently(publication, { length: seconds(10), time, signal: gone.signal });
  reading.catch(() => {});
  return { ...kept, gone, reading, took: () => world.now() - began };
}

test("a request waits for the first login, also while calls for it fail", async () => {
  const { world, source, reading, took } = patient();
  await world.run(seconds(4));
  source.failure = undefined;
  expect((await world.result(reading)).login.host).toBe("db.example");
  expect(took()).toBeLessThanOrEqual(seconds(9));
});

test("it waits for no more than its patience, and then reads why", async () => {
  const { world, reading, took } = patient();
  await expect(world.result(reading)).rejects.toThrow("it is unavailable");
  expect(took()).toBe(seconds(10));
});

test("an issuer that does not answer at all is told too", async () => {
  const { world, source, reading, took } = patient();
  source.failure = undefined;
  source.isSilent = true;
  await expect(world.result(reading)).rejects.toThrow(
    "no login of orders came within 10 s: ask again",
  );
  expect(took()).toBe(seconds(10));
});

test("what does not pass by itself is said at once", async () => {
  const { world, source, reading, took } = patient();
  source.failure = "denied";
  await expect(world.result(reading)).rejects.toThrow("it is denied");
  expect(took()).toBeLessThan(seconds(2));
});

test("nobody waits for a client that is gone", async () => {
  const { world, gone, reading, took } = patient();
  await world.run(seconds(1));
  gone.abort(new Error("gone"));
  await expect(world.result(reading)).rejects.toThrow("gone");
  expect(took()).toBe(seconds(1));
});
