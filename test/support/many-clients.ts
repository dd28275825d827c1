import { KeeperError } from "../../client/keeper/errors.ts";
import type { Keeper } from "../../client/keeper/keeper.ts";
import { keepLease } from "../../client/keeper/lease-keeper.ts";
import {
  type Duration,
  hours,
  type Instant,
  milliseconds,
  minutes,
  seconds,
} from "../../core/time.ts";
import { FakeIssuer } from "./fake-issuer.ts";
import { seededRandom, type VirtualMachine, VirtualWorld } from "./virtual-time.ts";

const START = Date.UTC(2027, 0, 11, 9) as Instant;
const LENGTH = hours(3);
/** Between two connections of a client. */
const BETWEEN_CONNECTIONS = minutes(3);
/** The longest wait after a failure, and a call. */
const RECOVERY = seconds(62);

interface Client {
  readonly keeper: Keeper;
  readonly machine: VirtualMachine;
  readonly source: FakeIssuer;
}

/** The most calls of any client and second, and what went wrong. */
export interface Simulated {
  /** Connections that got no login before the outage, or later than a minute after it. */
  readonly refusedConnections: number;
  /** Connections that got none in the outage, or in the minute after it. */
  readonly refusedInOutage: number;
  /** Leases that ended while their client had heard of no failure, without its machine's sleep. */
  readonly unannouncedEnds: number;
  /** Logins that were over when they were handed out, although the source could be asked. */
  readonly handedOutDead: number;
  readonly mostCalls: number;
  readonly mostCallsInOutage: number;
  readonly mostCallsInASecond: number;
  readonly calls: number;
}

/**
 * Clients start within a minute and connect every three minutes, for three hours. Their leases live
 * for 15 minutes, at most for two hours. After 50 minutes the issuer is away for ten: two thirds of
 * the leases end meanwhile. A third of the wall clocks is set forward and a third back by an hour,
 * half of them in the outage.
 */
export async function simulateClients(options: {
  readonly clients: number;
  readonly seed: number;
}): Promise<Simulated> {
  const random = seededRandom(options.seed);
  const world = new VirtualWorld(START, { tick: seconds(1) });
  const outage = { from: START + minutes(50), to: START + minutes(60) };
  let [unannouncedEnds, handedOutDead, refusedConnections, refusedInOutage] = [0, 0, 0, 0];
  const clients = Array.from({ length: options.clients }, (_, index): Client => {
    const source = new FakeIssuer(world, { ttl: minutes(15), maxTtl: hours(2) });
    const machine = world.machine();
    const keeper = keepLease({ source, time: machine, random: seededRandom(index) });
    let hasFailed = false;
    keeper.on("failing", () => {
      hasFailed = true;
    });
    keeper.on("renewed", () => {
      hasFailed = false;
    });
    keeper.on("lost", () => {
      if (!hasFailed) unannouncedEnds += 1;
    });
    return { keeper, machine, source };
  });
  const connect = async (client: Client): Promise<void> => {
    const isAway = client.source.failure !== undefined;
    const from = world.now();
    try {
      const { id } = await client.keeper.current();
      if (!client.source.isValid(id) && !isAway) handedOutDead += 1;
    } catch (error) {
      if (!(error instanceof KeeperError)) throw error;
      if (from >= outage.from && from < outage.to + RECOVERY) refusedInOutage += 1;
      else refusedConnections += 1;
    }
  };
  const live = async (client: Client, start: Duration): Promise<void> => {
    for (let wait = start; world.now() < START + LENGTH; wait = BETWEEN_CONNECTIONS) {
      await world.wait(wait);
      await connect(client);
    }
  };
  const setClock = async (client: Client, index: number): Promise<void> => {
    const at = index % 2 === 0 ? minutes(53) : minutes(100);
    await world.wait(at);
    client.machine.setWall(((index % 3) - 1) * hours(1));
  };
  const breakIssuers = async (): Promise<void> => {
    await world.wait(milliseconds(outage.from - START));
    for (const { source } of clients) source.failure = "unavailable";
    await world.wait(milliseconds(outage.to - outage.from));
    for (const { source } of clients) source.failure = undefined;
  };
  const lives = clients.flatMap((client, index) => [
    live(client, milliseconds(Math.floor(random() * minutes(1)))),
    setClock(client, index),
  ]);
  await world.result(Promise.all([...lives, breakIssuers()]));

  const perSecond = new Map<number, number>();
  let [mostCalls, mostCallsInOutage, calls] = [0, 0, 0];
  for (const { source } of clients) {
    calls += source.calls.length;
    mostCalls = Math.max(mostCalls, source.calls.length);
    const inOutage = source.calls.filter(({ at }) => at >= outage.from && at < outage.to);
    mostCallsInOutage = Math.max(mostCallsInOutage, inOutage.length);
    for (const { at } of source.calls) {
      const second = Math.floor(at / seconds(1));
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    }
  }
  return {
    refusedConnections,
    refusedInOutage,
    unannouncedEnds,
    handedOutDead,
    mostCalls,
    mostCallsInOutage,
    mostCallsInASecond: Math.max(...perSecond.values()),
    calls,
  };
}
