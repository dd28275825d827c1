import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { compileOneFile } from "../../packaging/one-file.ts";
import { eventually } from "./eventually.ts";
import { fileCluster } from "./file-cluster.ts";
import { newFolder } from "./file-outlet.ts";
import { startIssuerEndpoint } from "./issuer-endpoint.ts";
import { podResourcesIn } from "./kubernetes-schema.ts";
import { LeasedDatabase } from "./leased-database.ts";
import { root } from "./pages.ts";

/** A container of a pod, as far as it is run here. */
export interface PodContainer {
  readonly command: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly startupProbe?: { readonly exec: { readonly command: readonly string[] } };
}

export interface PodSpec {
  readonly initContainers?: readonly PodContainer[];
  readonly containers?: readonly PodContainer[];
}

/** Where containers of injected pods run as processes, beside a database and its issuer. */
export interface PodPlace {
  readonly database: LeasedDatabase;
  /**
   * What the containers of a manifest's first pod are, with a new folder for their volume.
   *
   * @param moved texts of commands and environments that are others here, such as ports.
   */
  readonly pod: (
    text: string,
    path: string,
    moved?: Readonly<Record<string, string>>,
  ) => InjectedPod;
  readonly close: () => Promise<void>;
}

export interface InjectedPod {
  readonly spec: PodSpec;
  /** In the place of the volume. */
  readonly volume: string;
  readonly run: (container: PodContainer, command?: readonly string[]) => ChildProcess;
  /** Resolves when the startup probe of a container is content. */
  readonly started: (container: PodContainer) => Promise<void>;
}

/** Nobody listens there now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** The caller closes it. */
export async function podPlace(): Promise<PodPlace> {
  const cluster = await fileCluster();
  const folder = newFolder();
  const program = join(folder, "mayfly-agent.mjs");
  await compileOneFile(root, program, folder);
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, cluster.ca);
  const times = { ttlSeconds: 3_600, maxTtlSeconds: 86_400 };
  const database = await LeasedDatabase.start({ cluster, ...times });
  const issuer = await startIssuerEndpoint(database);
  const children: ChildProcess[] = [];
  let pods = 0;
  return {
    database,
    pod: (text, path, moved = {}) => {
      pods += 1;
      const volume = join(folder, `volume-${pods}`);
      mkdirSync(volume);
      const places = {
        "/nodejs/bin/node": process.execPath,
        "/opt/mayfly/mayfly-agent.mjs": program,
        [path]: volume,
        ...moved,
      };
      const here = (words: string): string =>
        Object.entries(places).reduce((all, [from, to]) => all.replaceAll(from, to), words);
      const run = (container: PodContainer, command = container.command): ChildProcess => {
        const [executable = "", ...args] = command.map(here);
        const own = container.env.map(({ name, value }) => [
          name,
          here(value.replaceAll("$$", "$")),
        ]);
        const env = {
          ...Object.fromEntries(own),
          // what the cluster and the image bring
          AWS_ENDPOINT_URL_LAMBDA: issuer.url,
          AWS_ACCESS_KEY_ID: "none",
          AWS_SECRET_ACCESS_KEY: "none",
          AWS_EC2_METADATA_DISABLED: "true",
          NODE_EXTRA_CA_CERTS: ca,
        };
        const child = spawn(executable, args, { env, stdio: ["ignore", "ignore", "inherit"] });
        children.push(child);
        return child;
      };
      const resource = podResourcesIn(text)[0];
      const { template, ...spec } = (resource?.spec ?? {}) as PodSpec & {
        readonly template?: { readonly spec: PodSpec };
      };
      return {
        spec: template?.spec ?? spec,
        volume,
        run,
        started: async (container) => {
          const probe = container.startupProbe?.exec.command ?? [];
          await eventually(async () => {
            const [status] = (await once(run(container, probe), "exit")) as [number];
            return status === 0;
          });
        },
      };
    },
    close: async () => {
      for (const child of children) child.kill("SIGKILL");
      await issuer.stop();
      await database.close();
      rmSync(folder, { recursive: true });
    },
  };
}
