import { lookup } from "node:dns/promises";
import { TLSSocket } from "node:tls";
import { openConnection, probeServer } from "../../../client/proxy/upstream/server-connection.ts";
import { makeSecureContexts, makeServers } from "../../../client/proxy/upstream/servers.ts";
import { makeTrustedRoots } from "../../../client/proxy/upstream/trusted-roots.ts";
import { terminate } from "../../../client/proxy/wire/messages.ts";
import { systemTime } from "../../../client/time.ts";
import type { Instant } from "../../../core/time.ts";
import { RDS_ROOTS } from "../../rds-roots.ts";
import { systemPorts } from "../system-ports.ts";
import { askProxy, openSession } from "./ask-proxy.ts";
import type { WayPorts } from "./way-ports.ts";

/** Protocol 3.0. */
const PROTOCOL = 196_608;

/**
 * This machine's network.
 *
 * @param ca PEM of the authorities to trust, instead of those of RDS.
 */
export function wayPorts(ca: string | undefined): WayPorts {
  const roots = makeTrustedRoots({ rds: RDS_ROOTS, ca });
  const secureContext = makeSecureContexts(roots);
  const servers = makeServers({ roots, time: systemTime });
  const never = new AbortController().signal;
  return {
    ...systemPorts,
    resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
    reach: async (server) => {
      await probeServer({ server, time: systemTime, signal: never });
    },
    secure: async (server) => {
      const options = { server, secureContext, time: systemTime, signal: never };
      const socket = await openConnection({ ...options, tls: "verify-full" });
      const until =
        socket instanceof TLSSocket ? Date.parse(socket.getPeerCertificate().valid_to) : 0;
      socket.destroy();
      return until as Instant;
    },
    logIn: async (login) => {
      const { host, port, dbname } = login;
      const database = Buffer.from(dbname, "utf8").toString("latin1");
      const { socket } = await servers.logIn({
        server: { host, port },
        login,
        protocol: PROTOCOL,
        parameters: new Map([["database", database]]),
        signal: never,
      });
      socket.end(terminate());
      socket.resume();
    },
    askProxy,
    openSession,
  };
}
