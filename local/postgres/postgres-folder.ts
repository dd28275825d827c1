import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { generate } from "selfsigned";
import type { ServerUser } from "./postgres-binaries.ts";
import { HOST } from "./postgres-server.ts";

const run = promisify(execFile);

/** The bootstrap superuser, named as on RDS. */
export const SUPERUSER = "rdsadmin";

// segments of 1 MB: a folder is copied and removed for each server of a test run
const INITDB = ["-A", "scram-sha-256", "-E", "UTF8", "--no-sync", "--wal-segsize=1"];

/** What creating a server's folder needs. */
export interface Preparation {
  readonly folder: string;
  /** The installed binaries. */
  readonly binaries: string;
  /** The installed binaries, or a copy that the user can run. */
  readonly native: string;
  readonly user: ServerUser;
  /** Refuse connections without TLS. */
  readonly forceTls: boolean;
}

/** A folder from which a server can start. */
export interface Prepared {
  /** The certificate's authority: the certificate is self-signed. */
  readonly ca: string;
  readonly caFile: string;
  /** The superuser's. */
  readonly password: string;
}

/**
 * Fill a folder with an empty cluster (`data`), a certificate and the rules for clients, all owned
 * by the server's user.
 */
export async function prepareFolder(preparation: Preparation): Promise<Prepared> {
  const { folder, user, forceTls } = preparation;
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
  const password = (await copiedCluster(preparation)) ?? (await newCluster(preparation));
  const { private: key, cert: ca } = await makeCertificate();
  put("server.key", key);
  const kind = forceTls ? "hostssl" : "host";
  const rule = (addresses: string): string => `${kind} all all ${addresses} scram-sha-256\n`;
  const standby = `hostssl replication ${SUPERUSER} ${HOST}/32 scram-sha-256\n`;
  put("pg_hba.conf", rule(`${HOST}/32`) + rule("::1/128") + standby);
  return { ca, caFile: put("server.crt", ca, 0o644), password };
}

/**
 * A cluster from one initdb, to copy for many servers: `data`, its `password` and its `binaries`.
 */
export const TEMPLATE = "MAYFLY_CLUSTER_TEMPLATE";

/** The folder of the template, from the environment. A test run creates many servers from one. */
async function copiedCluster({ folder, binaries }: Preparation): Promise<string | undefined> {
  const template = process.env[TEMPLATE];
  if (template === undefined || readFileSync(join(template, "binaries"), "utf8") !== binaries)
    return undefined;
  await run("cp", ["-a", join(template, "data"), folder]);
  return readFileSync(join(template, "password"), "utf8");
}

/** Make a cluster with initdb. @returns the superuser's password. */
export async function newCluster({
  folder,
  native,
  user,
}: Pick<Preparation, "folder" | "native" | "user">): Promise<string> {
  const password = randomBytes(16).toString("hex");
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (user.uid !== undefined && user.gid !== undefined) chownSync(passwordFile, user.uid, user.gid);
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
  return password;
}

/** Each authority has a unique name: of several with one name, OpenSSL tries only the first. */
const makeCertificate = () =>
  generate(
    [{ name: "commonName", value: `Mayfly local database ${randomBytes(4).toString("hex")}` }],
    {
      keyType: "ec",
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
    },
  );
