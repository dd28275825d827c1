import * as v from "valibot";
import { list, text } from "./schema/fields.ts";

const ADDRESS = /^[A-Za-z0-9.-]{1,253}(?::[1-9]\d{0,4})?$/;
const HIGHEST_PORT = 65_535;
/** RDS's rule for identifiers of clusters and instances. */
const IDENTIFIER = /^(?!.*--)[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** The address of a reader. */
export interface ReaderAddress {
  readonly host: string;
  readonly port: number;
}

/** Parse an address such as `replica.example.com:5433`. */
export const readerAddress = (text: string, defaultPort: number): ReaderAddress => {
  const [host = "", port] = text.split(":");
  return { host, port: port === undefined ? defaultPort : Number(port) };
};

const identifier = () =>
  v.optional(
    text(
      IDENTIFIER,
      "is not an identifier",
      'write it as RDS shows it, e.g. "orders-db", without account, Region or endpoint',
    ),
  );

/** The readers of a server. */
export const readerEntries = {
  /**
   * Replicas of this server that accept logins, each a host name or `name:port`. Each revocation
   * checks them and the readers that RDS lists.
   * @default - none
   */
  readers: v.optional(
    list(
      'list them, e.g. ["replica.example.com:5432"]',
      text(
        (address) => ADDRESS.test(address) && readerAddress(address, 1).port <= HIGHEST_PORT,
        "is not a reader",
        'write its name, with a port if it is another, e.g. "replica.example.com:5433"',
      ),
    ),
  ),
  /**
   * Identifier of the Aurora or Multi-AZ DB cluster whose writer this is. Mayfly asks RDS for the
   * cluster's readers.
   * @default - RDS is not asked
   */
  cluster: identifier(),
  /**
   * Identifier of this RDS instance. Mayfly asks RDS for its read replicas.
   * @default - RDS is not asked
   */
  instance: identifier(),
};
