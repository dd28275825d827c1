import type { Login } from "../../../keeper/keeper.ts";
import type { FileFormat } from "../../configuration.ts";
import { pgpassLine, serviceSection } from "./libpq.ts";
import { jdbcProperties } from "./properties.ts";
import { envFile, plainLines } from "./variables.ts";

/** A login under its name in the configuration. */
export interface NamedLogin {
  readonly name: string;
  readonly login: Login;
}

/** PEM of the authorities that a host's certificate is checked by. */
export type AuthoritiesOf = (host: string) => string;

interface Format {
  /** The content for a login. @throws FileError if a value cannot stand in such a file */
  readonly render: (named: NamedLogin, authoritiesOf: AuthoritiesOf) => string;
  /** Whether those of several logins make one file, one after the other. */
  readonly holdsSeveral: boolean;
  /** Its readers refuse a file that others may read. */
  readonly isPrivate: boolean;
}

const single = (render: Format["render"]): Format => ({
  render,
  holdsSeveral: false,
  isPrivate: false,
});

/** A database secret of AWS's: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html */
const jsonOf = ({ username, password, host, port, dbname }: Login): string =>
  `${JSON.stringify({ engine: "postgres", host, port, username, password: password.reveal(), dbname }, null, 2)}\n`;

export const FORMATS: Readonly<Record<FileFormat, Format>> = {
  env: single(({ login }) => envFile(login)),
  json: single(({ login }) => jsonOf(login)),
  jdbc: single(({ login }) => jdbcProperties(login)),
  lines: single(({ login }) => plainLines(login)),
  ca: single(({ login }, authoritiesOf) => authoritiesOf(login.host)),
  pgpass: { render: ({ login }) => pgpassLine(login), holdsSeveral: true, isPrivate: true },
  pg_service: {
    render: ({ name, login }) => serviceSection(name, login),
    holdsSeveral: true,
    isPrivate: false,
  },
};
