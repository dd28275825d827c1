import { expect, test } from "vitest";
import { clientsFor, processLimits } from "../../../client/proxy/limits.ts";
import { Slots } from "../../../client/proxy/slots.ts";

test.each([
  [1_024, 480],
  [65_536, 32_736],
  [64, 16],
  [1, 1],
])("%i descriptors are enough for %i clients", (descriptors, clients) => {
  expect(clientsFor(descriptors)).toBe(clients);
});

test("this process has a limit", () => {
  expect(processLimits().clients).toBeGreaterThan(0);
});

test("so many work at once, the others wait in their order, and who gives up leaves", async () => {
  const slots = new Slots(1);
  const { signal } = new AbortController();
  const order: string[] = [];
  const first = Promise.withResolvers<void>();
  const work = (name: string, wait?: Promise<void>) => async () => {
    order.push(name);
    await wait;
  };
  const giveUp = new AbortController();
  const all = [
    slots.use(signal, work("first", first.promise)),
    slots.use(giveUp.signal, work("impatient")),
    slots.use(signal, work("second")),
    slots.use(signal, work("third")),
  ];
  giveUp.abort(new Error("too late"));
  expect(order).toEqual(["first"]);
  first.reject(new Error("failed"));
  const outcomes = await Promise.allSettled(all);
  expect(order).toEqual(["first", "second", "third"]);
  expect(outcomes.map(({ status }) => status)).toEqual([
    "rejected",
    "rejected",
    "fulfilled",
    "fulfilled",
  ]);
});
