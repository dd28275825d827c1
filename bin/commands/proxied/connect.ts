import { fstatSync } from "node:fs";
import type { Command } from "commander";
import type { ServerAddress } from "../../../client/proxy/server-login.ts";
import { type ProxyAddress, urlOf } from "../../proxy/connection-variables.ts";
import { type DoorOptions, doorFor } from "../../proxy/door.ts";
import { needNode } from "../../proxy/need-node.ts";
import { portIn } from "../../proxy/port-option.ts";
import { addTo } from "../../proxy/repeated-option.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { type Io, print } from "../../terminal/io.ts";
import { StatusLine } from "../../terminal/status-line.ts";
import { watchLease } from "./watch-lease.ts";
import { type LeaseOptions, withLease } from "./which-lease.ts";
import { withProxy } from "./with-proxy.ts";

interface ConnectOptions extends LeaseOptions, DoorOptions {
  readonly port?: string;
  readonly reader: readonly string[];
  readonly json?: boolean;
}

/** `mayfly connect`: a port for desktop tools, until Ctrl-C. */
export function addConnect(program: Command, io: Io): void {
  const command = program
    .command("connect")
    .description("open a port for desktop tools until Ctrl-C, and print its URL");
  withLease(command)
    .option("--port <number>", "the port on 127.0.0.1 (default: a free one)")
    .option("--socket", "a Unix socket of this user alone, instead of a port with a password")
    .option("--private-loopback", "no password: nobody else is on this loopback, as in a pod")
    .option("--reader <host:port>", "one more port, to a reader; may be repeated", addTo, [])
    .option("--json", "one JSON document instead of URLs, and log lines as JSON documents")
    .action(async (name: string | undefined, options: ConnectOptions) => {
      needNode("connect");
      const { port, reader, json } = options;
      const [door, readers] = [doorFor(options, portIn("--port", port)), reader.map(readerIn)];
      refusePublicFile(io);
      const line = new StatusLine(io);
      const log = { write: (words: string) => line.say(words), asJson: json === true };
      await withProxy(
        { name, options, door, readers, log: { ...log, withInfo: true }, onlyWhileUsed: true },
        async (running) => {
          const { open, signals } = running;
          const addresses = [open.address, ...open.readers];
          print(io, json, addresses.map(documentOf), addresses.map(textOf).join("\n"));
          void open.proxy.ready(); // what keeps it from a login is logged
          const stopped = new Promise<void>((resolve) => {
            signals.handle = () => resolve();
          });
          await watchLease(running, line, stopped);
          return Exit.ok;
        },
      );
    });
}

function readerIn(text: string): ServerAddress {
  const [, host, port] = /^([\w.-]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host !== undefined && Number(port ?? 5_432) <= 65_535)
    return { host, port: Number(port ?? 5_432) };
  throw new Failure(
    Exit.usage,
    `--reader: ${JSON.stringify(text.slice(0, 60))} is no address; give <host>:<port>`,
  );
}

/** The URL has a password, with which everybody on this machine could come in. */
function refusePublicFile({ out }: Io): void {
  if (out !== process.stdout) return;
  const stats = fstatSync(1);
  const mode = stats.mode & 0o777;
  if (!stats.isFile() || (mode & 0o077) === 0) return;
  throw new Failure(
    Exit.usage,
    `stdout is a file that others may read (mode ${mode.toString(8)}), and the URL has a password; chmod it to 600, or use a pipe`,
  );
}

const textOf = (address: ProxyAddress): string => urlOf(address).reveal();

const documentOf = (address: ProxyAddress): object => ({
  ...address,
  password: address.password?.reveal(),
  url: urlOf(address).reveal(),
});
