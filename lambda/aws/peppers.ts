import { ConfigError } from "../../core/errors.ts";
import type { Pepper, Peppers } from "../../core/leases/lease-ports.ts";
import { Secret } from "../../core/secret.ts";
import type { SecretStore } from "../../core/secret-store.ts";

/** The versions of the pepper in one secret. Each is read once per function instance. */
export function peppersIn(secrets: Pick<SecretStore, "getSecret">, secretArn: string): Peppers {
  const known = new Map<string, Pepper>();
  let newest: Pepper | undefined;
  const read = async (which: { versionId?: string }): Promise<Pepper | undefined> => {
    const found = await secrets.getSecret(secretArn, which);
    if (found === undefined || !(found.value.pepper instanceof Secret)) return undefined;
    const pepper = { version: found.versionId, value: found.value.pepper };
    known.set(pepper.version, pepper);
    return pepper;
  };
  return {
    current: async () => {
      newest ??= await read({});
      if (newest !== undefined) return newest;
      throw new ConfigError(
        `secret ${secretArn} holds no pepper; make a version current that has one, or put {"pepper": …} with 64 random characters`,
      );
    },
    version: async (versionId) => known.get(versionId) ?? read({ versionId }),
  };
}
