import { byHand, type Flaw } from "../../../core/doctor/examiner.ts";
import { ident, sql } from "../connection/sql.ts";
import { type ClusterLook, flawsOr, type Look, run } from "./looking.ts";

interface Setting {
  readonly name: string;
  readonly setting: string;
  /** `database` if the database's own setting wins; `default`, `configuration file` and so on. */
  readonly source: string;
}

/** `$1` names. What is not set is left out. */
const settings = sql`
select name, setting, source from pg_catalog.pg_settings where name = any ($1::text[])`;

const read = async ({ session }: ClusterLook, names: readonly string[]) =>
  new Map(
    (await session.rows<Setting>("read settings", settings, [names])).map((each) => [
      each.name,
      each,
    ]),
  );

const HOW = "(on RDS: in the parameter group; elsewhere ALTER SYSTEM and SELECT pg_reload_conf())";

/** Passwords that are set from now on must not become MD5. */
export const lookAtPasswordEncryption: Look = async (look) => {
  const found = (await read(look, ["password_encryption"])).get("password_encryption");
  const seen = { check: "password-encryption", subject: "password_encryption" };
  const { setting = "", source = "" } = found ?? {};
  const { maintenanceDatabase: database } = look.plan;
  const flaws: Flaw[] =
    setting === "scram-sha-256"
      ? []
      : [
          {
            ...seen,
            verdict: "warning",
            evidence: `${setting} (${source}): a password that somebody sets is stored as MD5, whose hash is enough to log in; Mayfly's own are SCRAM verifiers whatever it is`,
            fix:
              source === "database"
                ? run({ database, as: look.admin }, [
                    sql`ALTER DATABASE ${ident(database)} RESET password_encryption`,
                  ])
                : byHand(`set password_encryption to scram-sha-256 ${HOW}`),
          },
        ];
  return flawsOr(flaws, { ...seen, evidence: setting });
};

/** Statements with a verifier must not be in the server's log. */
export const lookAtLogging: Look = async (look) => {
  const found = await read(look, [
    "log_statement",
    "log_min_duration_statement",
    "log_min_duration_sample",
    "log_parameter_max_length",
  ]);
  const settingOf = (name: string): string => found.get(name)?.setting ?? "";
  const reasons = [
    ...(settingOf("log_statement") === "all" ? ["log_statement is all"] : []),
    ...["log_min_duration_statement", "log_min_duration_sample"]
      .filter((name) => Number(settingOf(name) || -1) >= 0)
      .map((name) => `${name} is ${settingOf(name)} ms`),
  ];
  const isShown = settingOf("log_parameter_max_length") !== "0";
  const seen = { check: "log-statement", subject: "the server's log" };
  const flaws: Flaw[] =
    reasons.length === 0 || !isShown
      ? []
      : [
          {
            ...seen,
            verdict: "warning",
            evidence: `${reasons.join(", ")}, and log_parameter_max_length is ${settingOf("log_parameter_max_length")}: the log has the verifier of each lease that is issued`,
            fix: byHand(`set log_parameter_max_length to 0 ${HOW}`),
          },
        ];
  return flawsOr(flaws, {
    ...seen,
    evidence: `log_statement is ${settingOf("log_statement")}, log_parameter_max_length ${settingOf("log_parameter_max_length")}`,
  });
};

const RESTRICTED = "rds.restrict_password_commands";

/** With it RDS lets members of `rds_password` set passwords, and nobody else. */
export const lookAtPasswordCommands: Look = async ({ session }) => {
  const [found] = await session.rows<{ value: string | null }>(
    "read settings",
    sql`select pg_catalog.current_setting($1::text, true) as value`,
    [RESTRICTED],
  );
  const value = found?.value ?? "";
  const seen = { check: "restricted-passwords", subject: RESTRICTED };
  const isOn = ["on", "1", "true", "yes"].includes(value.toLowerCase());
  return flawsOr(
    isOn
      ? [
          {
            ...seen,
            verdict: "broken",
            evidence: `${RESTRICTED} is ${value}: RDS refuses the password of each lease (42501)`,
            fix: byHand(`set ${RESTRICTED} to 0 in the parameter group, and restart the server`),
          },
        ]
      : [],
    { ...seen, evidence: value === "" ? "it is not set" : value },
  );
};
