import { execFile } from "node:child_process";
import { chownSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { generate } from "selfsigned";
import type { ServerUser } from "./postgres-binaries.ts";
import { HOST } from "./postgres-server.ts";

const run = promisify(execFile);

/** The bootstrap superuser, named as on RDS. */
export const SUPERUSER = "rdsadmin";

const INITDB = ["-A", "scram-sha-256", "-E", "UTF8", "--no-sync"];

/** What a server's folder is made for. */
export interface Preparation {
  readonly folder: string;
  readonly native: string;
  readonly user: ServerUser;
  /** The superuser's. */
  readonly password: string;
  /** Refuse connections without TLS. */
  readonly forceTls: boolean;
}

/**
 * Fill a folder with an empty cluster (`data`), a certificate and the rules for clients, all owned
 * by the server's user. Returns the certificate's authority, which is itself.
 */
export async function prepareFolder(
  preparation: Preparation,
): Promise<{ readonly ca: string; readonly caFile: string }> {
  const { folder, user, password, forceTls } = preparation;
  const own = (path: string): void => {
    if (user.uid !== undefined && user.gid !== undefined) chownSync(path, user.uid, user.gid);
  };
  const put = (name: string, content: string, mode = 0o600): string => {
    const path = join(folder, name);
    writeFileSync(path, content, { mode });
    own(path);
    return path;
  };
  own(folder);
  await initialize(preparation, put("password", `${password}\n`));
  const { private: key, cert: ca } = await makeCertificate();
  put("server.key", key);
  const kind = forceTls ? "hostssl" : "host";
  const rule = (addresses: string): string => `${kind} all all ${addresses} scram-sha-256\n`;
  const standby = `hostssl replication ${SUPERUSER} ${HOST}/32 scram-sha-256\n`;
  put("pg_hba.conf", rule(`${HOST}/32`) + rule("::1/128") + standby);
  return { ca, caFile: put("server.crt", ca, 0o644) };
}

async function initialize(
  { folder, native, user }: Preparation,
  passwordFile: string,
): Promise<void> {
  const args = ["-D", join(folder, "data"), "-U", SUPERUSER, "--pwfile", passwordFile, ...INITDB];
  const env = { LC_ALL: "C.UTF-8", TZ: "UTC", PATH: "/usr/bin:/bin" };
  try {
    await run(join(native, "bin", "initdb"), args, { ...user, env });
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(`initdb failed: ${stderr || message}`, { cause: error });
  } finally {
    rmSync(passwordFile);
  }
}

const makeCertificate = () =>
  generate([{ name: "commonName", value: "Mayfly local database" }], {
    keySize: 2048,
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 7, ip: HOST },
          { type: 2, value: "localhost" },
        ],
      },
    ],
  });
