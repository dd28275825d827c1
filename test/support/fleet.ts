import { type Issuer, type IssuerOptions, issuerOn } from "./leases.ts";
import { type ProvisionedOptions, provisioned, type TestDatabase } from "./provisioned.ts";

/** Several function instances, each with a warm connection of its own to one database. */
export interface Fleet {
  readonly test: TestDatabase;
  readonly instances: readonly [Issuer, ...Issuer[]];
  /**
   * Make `calls` calls at once. As on Lambda, an instance serves one after the other, and calls
   * wait for a free instance.
   */
  all<T>(calls: number, ask: (instance: Issuer) => Promise<T>): Promise<PromiseSettledResult<T>[]>;
  close(): Promise<void>;
}

/** `count` instances over a database of their own and one scheduler, all connected. */
export async function fleet(
  count: number,
  options: ProvisionedOptions & IssuerOptions = {},
): Promise<Fleet> {
  return fleetOn(
    await provisioned({ loginConnectionLimit: count + 5, ...options }),
    count,
    options,
  );
}

/** The same over a database that is provisioned already. */
export async function fleetOn(
  test: TestDatabase,
  count: number,
  options: IssuerOptions = {},
): Promise<Fleet> {
  const first = issuerOn(test, options);
  const { scheduler } = first;
  const more = Array.from({ length: count - 1 }, () => issuerOn(test, { ...options, scheduler }));
  const instances = [first, ...more] as const;
  await Promise.all(instances.map(({ deps }) => deps.engine.look("warm")));
  return {
    test,
    instances,
    all: async (calls, ask) => {
      const waiting = Array.from({ length: calls }, (_, call) => call);
      const results: PromiseSettledResult<Awaited<ReturnType<typeof ask>>>[] = [];
      const serve = async (instance: Issuer): Promise<void> => {
        for (let call = waiting.shift(); call !== undefined; call = waiting.shift()) {
          const [result] = await Promise.allSettled([ask(instance)]);
          results.push(result);
        }
      };
      await Promise.all(instances.map(serve));
      return results;
    },
    close: async () => {
      await Promise.all(instances.map((each) => each.close()));
    },
  };
}

/** What the calls answered that were not refused. */
export const granted = <T>(results: readonly PromiseSettledResult<T>[]): T[] =>
  results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));

/** The errors of the calls that were. */
export const refused = (results: readonly PromiseSettledResult<unknown>[]): unknown[] =>
  results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
