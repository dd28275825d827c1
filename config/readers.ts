import type { ParsedReaders, ReaderAddress } from "./parsed.ts";
import { complain, type Place, readList, readText, within } from "./place.ts";

/** The keys that say which readers a server that exists has. */
export const READER_KEYS = ["readers", "cluster", "instance"];

const ADDRESS = /^[A-Za-z0-9.-]{1,253}(?::[1-9]\d{0,4})?$/;
const HIGHEST_PORT = 65_535;
/** RDS's rule for identifiers of clusters and instances. */
const IDENTIFIER = /^(?!.*--)[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

const addressIn = (text: string, defaultPort: number): ReaderAddress => {
  const [host = "", port] = text.split(":");
  return { host, port: port === undefined ? defaultPort : Number(port) };
};

/** Read which readers the writer at `host` and `port` has, as far as the configuration says. */
export function readReaders(place: Place, host: string, port: number): ParsedReaders {
  const [readers, cluster, instance] = READER_KEYS.map((key) => within(place, key));
  const identifier = (at: Place | undefined): string | undefined =>
    at?.value === undefined
      ? undefined
      : readText(
          at,
          (text) => IDENTIFIER.test(text),
          "is not an identifier",
          'write it as RDS shows it, e.g. "orders-db", without account, Region or endpoint',
        );
  if (cluster?.value !== undefined && instance?.value !== undefined)
    complain(instance, "does not go with cluster", "remove the one that the writer is not");
  const named = { cluster: identifier(cluster), instance: identifier(instance) };
  return {
    ...(readers?.value !== undefined && { readers: readAddresses(readers, host, port) }),
    ...(named.cluster !== undefined && { cluster: named.cluster }),
    ...(named.instance !== undefined && { instance: named.instance }),
  };
}

function readAddresses(place: Place, host: string, port: number): readonly ReaderAddress[] {
  const listed = readList(place, 'list them, e.g. ["replica.example.com:5432"]', (element) =>
    readText(
      element,
      (text) => ADDRESS.test(text) && addressIn(text, port).port <= HIGHEST_PORT,
      "is not a reader",
      'write its name, with a port if it is another, e.g. "replica.example.com:5433"',
    ),
  );
  const addresses = listed.map((text) => addressIn(text, port));
  if (addresses.some((each) => each.host === host && each.port === port))
    complain(place, "names the writer", "remove it: the writer is looked at anyway");
  return addresses;
}
