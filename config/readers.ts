import * as v from "valibot";
import { list, text } from "./fields.ts";

const ADDRESS = /^[A-Za-z0-9.-]{1,253}(?::[1-9]\d{0,4})?$/;
const HIGHEST_PORT = 65_535;
/** RDS's rule for identifiers of clusters and instances. */
const IDENTIFIER = /^(?!.*--)[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** Where a reader is. */
export interface ReaderAddress {
  readonly host: string;
  readonly port: number;
}

/** The address that a text such as `replica.example.com:5433` names. */
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

/** Which readers a server has. */
export const readerEntries = {
  /**
   * Servers that replay this one and take logins, each a name or `name:port`; checked at each
   * revocation, besides those that RDS lists.
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
   * Identifier of the Aurora or Multi-AZ DB cluster whose writer this is: RDS is asked for its readers.
   * @default - RDS is not asked
   */
  cluster: identifier(),
  /**
   * Identifier of the RDS instance that this is: RDS is asked for its read replicas.
   * @default - RDS is not asked
   */
  instance: identifier(),
};
