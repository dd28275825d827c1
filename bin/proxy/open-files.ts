import { hostname } from "node:os";
import type { FileConfiguration } from "../../client/agent/configuration.ts";
import { makeChanges } from "../../client/agent/files/changes/changes.ts";
import type { FileOutlet } from "../../client/agent/files/file-outlet.ts";
import { startFile } from "../../client/agent/files/start-file.ts";
import { publish } from "../../client/agent/publication.ts";
import type { Keeper } from "../../client/keeper/keeper.ts";
import { loginReadiness } from "../../client/proxy/readiness.ts";
import { makeServers } from "../../client/proxy/upstream/servers.ts";
import { authoritiesOf, makeTrustedRoots } from "../../client/proxy/upstream/trusted-roots.ts";
import { systemTime } from "../../client/time.ts";
import { RDS_ROOTS } from "../rds-roots.ts";
import { Exit, Failure } from "../terminal/exit.ts";
import type { LogEvent } from "./proxy-log.ts";

export interface OpenFilesOptions {
  readonly keeper: Keeper;
  /** Of the lease, e.g. `orders/readonly`. */
  readonly name: string;
  readonly files: readonly FileConfiguration[];
  /** PEM of the authorities to trust. Undefined: RDS's, and Node's for other hosts. */
  readonly authorities: string | undefined;
  readonly onEvent: (event: LogEvent) => void;
  /** A file was written again: there is a next lease, unless it is another file of the same. */
  readonly onChange: () => void;
}

/**
 * Write files, and keep them written until the answer is disposed. Then they are removed.
 *
 * @throws Failure if one cannot be written the first time; `stopping`'s reason
 */
export async function openFiles(
  options: OpenFilesOptions,
  stopping: AbortSignal,
): Promise<AsyncDisposable> {
  const { keeper, name, files, authorities, onEvent, onChange } = options;
  const roots = makeTrustedRoots({ rds: RDS_ROOTS, ca: authorities });
  const servers = makeServers({ roots, time: systemTime });
  const applicationName = `mayfly@${hostname()}`;
  const time = systemTime;
  const readiness = loginReadiness({ keeper, servers, applicationName, time, onEvent });
  // nothing else would notice that the lease was revoked
  const look = (signal?: AbortSignal): Promise<boolean> => readiness.isReady(signal);
  const changes = makeChanges({ environment: {}, onEvent: () => {}, time: systemTime });
  const publication = publish({ name, keeper, look, time: systemTime });
  const outlets: FileOutlet[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(outlets.map((outlet) => outlet.remove()));
    await publication[Symbol.asyncDispose]();
  };
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {}); // later, failures are told
  let isOpen = false;
  try {
    for (const file of files)
      outlets.push(
        await startFile({
          file,
          publications: [publication],
          authoritiesOf: (host) => authoritiesOf(roots, host),
          changes,
          onEvent: (event) => {
            if (event.kind === "file-failed" && !isOpen)
              failed.reject(new Failure(Exit.config, event.message));
            else if (event.kind === "file-failed") onEvent(event);
            else if (event.kind === "file-written" && isOpen) {
              onEvent(event);
              onChange();
            }
          },
          time: systemTime,
        }),
      );
    const stopped = new Promise<never>((_, reject) => {
      stopping.addEventListener("abort", () => reject(stopping.reason as Error), { once: true });
    });
    const written = Promise.all(outlets.map((outlet) => outlet.written));
    await Promise.race([written, failed.promise, stopped]);
    stopping.throwIfAborted();
    isOpen = true;
    return { [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}
