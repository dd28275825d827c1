import type { Login } from "../../../keeper/keeper.ts";

/** How a client proves whom it talks to, in the words of libpq. */
export const sslmodeOf = ({ tls }: Login): "verify-full" | "disable" =>
  tls === "plaintext" ? "disable" : tls;

/** A host as it stands in a URL. */
const hostOf = ({ host }: Login): string => (host.includes(":") ? `[${host}]` : host);

/** The server and the database in a URL, after the scheme and the user. */
const placeOf = (login: Login): string =>
  `${hostOf(login)}:${login.port}/${encodeURIComponent(login.dbname)}?sslmode=${sslmodeOf(login)}`;

/** As libpq and most drivers take it. It has the password in it. */
export const urlOf = (login: Login): string =>
  `postgresql://${encodeURIComponent(login.username)}:${encodeURIComponent(login.password.reveal())}@${placeOf(login)}`;

/** As pgjdbc takes it, without user and password. */
export const jdbcUrlOf = (login: Login): string => `jdbc:postgresql://${placeOf(login)}`;
