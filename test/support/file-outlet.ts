import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentEvent } from "../../client/agent/agent-events.ts";
import type { FileConfiguration } from "../../client/agent/configuration.ts";
import { type Changes, makeChanges } from "../../client/agent/files/changes/changes.ts";
import type { FileOutlet } from "../../client/agent/files/file-outlet.ts";
import { startFile } from "../../client/agent/files/start-file.ts";
import type { FileSystem } from "../../client/agent/files/whole-file.ts";
import { type Publication, publish } from "../../client/agent/publication.ts";
import type { Login } from "../../client/keeper/keeper.ts";
import { type ClientTime, systemTime } from "../../client/time.ts";
import { Secret } from "../../core/secret.ts";
import type { Instant } from "../../core/time.ts";
import { FakeKeeper } from "./fake-keeper.ts";

/** A login of a server that nobody asks. */
export const madeUpLogin = (number: number, password = `password-${number}`): Login => ({
  id: `orders/readonly/user_${number}`,
  username: `user_${number}`,
  password: new Secret(password),
  host: "orders.example.com",
  port: 5_432,
  dbname: "orders",
  tls: "verify-full",
});

/** A publication whose logins the test hands out. */
export interface FakeSource extends AsyncDisposable {
  readonly publication: Publication;
  next(login: Login): void;
}

export function fakeSource(name: string, first: Login, time: ClientTime): FakeSource {
  const keeper = new FakeKeeper(first);
  const publication = publish({ name, keeper, look: () => Promise.resolve(), time });
  return {
    publication,
    next: (login) => keeper.next(login, 0 as Instant),
    [Symbol.asyncDispose]: () => publication[Symbol.asyncDispose](),
  };
}

/** A new folder, in the one for temporary files. */
export const newFolder = (): string => mkdtempSync(join(tmpdir(), "files-"));

export interface OutletScene extends AsyncDisposable {
  readonly source: FakeSource;
  readonly outlet: FileOutlet;
  readonly changes: Changes;
  readonly events: readonly AgentEvent[];
  /** What was told, as `kind` or `kind: message`. */
  told(): readonly string[];
}

/** A file of the login `orders/readonly`. */
export async function outletScene(
  time: ClientTime,
  file: Partial<FileConfiguration> & Pick<FileConfiguration, "path">,
  { files, first = madeUpLogin(1) }: { readonly files?: FileSystem; readonly first?: Login } = {},
): Promise<OutletScene> {
  const events: AgentEvent[] = [];
  const onEvent = (event: AgentEvent): void => void events.push(event);
  const source = fakeSource("orders/readonly", first, systemTime);
  const changes = makeChanges({ environment: { PATH: process.env.PATH }, onEvent, time });
  const configuration: FileConfiguration = {
    from: "orders/readonly",
    content: { kind: "format", format: "lines" },
    mode: 0o600,
    owner: undefined,
    onChange: undefined,
    ...file,
  };
  const outlet = await startFile(
    {
      file: configuration,
      publications: [source.publication],
      authoritiesOf: (host) => `authorities of ${host}\n`,
      changes,
      onEvent,
      time,
    },
    files,
  );
  return {
    source,
    outlet,
    changes,
    events,
    told: () =>
      events.map((event) => ("message" in event ? `${event.kind}: ${event.message}` : event.kind)),
    [Symbol.asyncDispose]: async () => {
      await outlet[Symbol.asyncDispose]();
      await changes[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}
