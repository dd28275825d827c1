import type { Keeper, KeeperEvents, Login } from "../../client/keeper/keeper.ts";
import { keepLease, type LeaseKeeperOptions } from "../../client/keeper/lease-keeper.ts";
import { hours, type Instant, minutes, seconds } from "../../core/time.ts";
import { FakeIssuer, type FakeIssuerOptions } from "./fake-issuer.ts";
import { seededRandom, VirtualWorld } from "./virtual-time.ts";

export type Told = {
  [Name in keyof KeeperEvents]: {
    readonly name: Name;
    readonly at: Instant;
  } & KeeperEvents[Name][0];
}[keyof KeeperEvents];

/** What a keeper tells, in order. */
export function listenTo(keeper: Keeper, now: () => Instant): Told[] {
  const told: Told[] = [];
  keeper.on("renewed", (event) => told.push({ name: "renewed", at: now(), ...event }));
  keeper.on("replaced", (event) => told.push({ name: "replaced", at: now(), ...event }));
  keeper.on("failing", (event) => told.push({ name: "failing", at: now(), ...event }));
  keeper.on("lost", (event) => told.push({ name: "lost", at: now(), ...event }));
  return told;
}

const START = Date.UTC(2027, 0, 11, 9) as Instant;

/** A keeper in a world of its own, with a lease of an hour that may live for a day. */
export function keptLease(options: Partial<FakeIssuerOptions> & Partial<LeaseKeeperOptions> = {}): {
  readonly world: VirtualWorld;
  readonly machine: ReturnType<VirtualWorld["laptop"]>;
  readonly source: FakeIssuer;
  readonly keeper: Keeper;
  readonly told: Told[];
  readonly current: () => Promise<Login>;
  /** Names of what was told so far. */
  readonly names: () => string[];
} {
  const world = new VirtualWorld(START);
  const machine = world.laptop();
  const source = new FakeIssuer(world, { ttl: hours(1), maxTtl: hours(24), ...options });
  const keeper = keepLease({ source, time: machine, random: seededRandom(1), ...options });
  const told = listenTo(keeper, () => world.now());
  return {
    world,
    machine,
    source,
    keeper,
    told,
    current: () => world.result(keeper.current()),
    names: () => told.map(({ name }) => name),
  };
}

export const A_DAY = hours(24);
export const AN_OVERLAP = minutes(35);
/** 7 % more. */
export const LONGEST_OVERLAP = seconds(35 * 60 * 1.07);
