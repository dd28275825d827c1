import { connect as connectSocket, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { byHand } from "../../../core/doctor/examiner.ts";
import type { Finding } from "../../../core/doctor/finding.ts";
import { flaw, ok } from "./looking.ts";

/** The certificate that a server shows. */
export interface ShownCertificate {
  readonly issuer: string;
  /** Milliseconds since the epoch. */
  readonly validTo: number;
  /** Why it is not trusted: Node's code. Undefined if it is. */
  readonly distrusted?: string;
}

const DAY = 86_400_000;
/** Days in which somebody should renew it. */
const SOON = 30;

/** What to say of a server's certificate at a time, both in milliseconds since the epoch. */
export function judgeCertificate(
  server: string,
  { issuer, validTo, distrusted }: ShownCertificate,
  now: number,
): Finding {
  const days = Math.floor((validTo - now) / DAY);
  const seen = { check: "certificate", subject: server };
  const evidence = `signed by ${issuer}, ends in ${days} days (${new Date(validTo).toISOString()})`;
  const renew = byHand(
    "renew the server's certificate (on RDS: set CACertificateIdentifier to rds-ca-rsa2048-g1 and apply it immediately; elsewhere replace the file that ssl_cert_file names, and reload)",
  );
  if (days < 0)
    return flaw({ ...seen, verdict: "broken", evidence: `it has ended: ${evidence}`, fix: renew });
  if (distrusted !== undefined)
    return flaw({
      ...seen,
      verdict: "broken",
      evidence: `it is not trusted (${distrusted}): ${evidence}`,
      fix: byHand(
        `set the database's "ca" to the PEM of the authority that signed it, and "host" to a name in the certificate, and deploy`,
      ),
    });
  if (days < SOON) return flaw({ ...seen, verdict: "warning", evidence, fix: renew });
  return ok({ ...seen, evidence });
}

/** Asks a PostgreSQL server for TLS (protocol 54.2.13): a length of 8, and the code of the request. */
const REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const YES = "S";

/** Look at a server's certificate, without logging in. @throws Node's error if there is none. */
export async function readCertificate(
  { host, port }: { readonly host: string; readonly port: number },
  options: ConnectionOptions,
  patience: number,
): Promise<ShownCertificate> {
  const plain = connectSocket({ host, port, timeout: patience });
  try {
    await settled(plain, "connect");
    plain.write(REQUEST);
    const answer = await new Promise<Buffer>((resolve, reject) => {
      plain.once("data", resolve).once("error", reject).once("timeout", timedOut(reject));
    });
    if (answer.toString("latin1") !== YES) throw new Error("NoTls");
    const secure = connectTls({ ...options, socket: plain, rejectUnauthorized: false });
    await settled(secure, "secureConnect");
    return shownBy(secure);
  } finally {
    plain.destroy();
  }
}

const timedOut = (reject: (error: Error) => void) => (): void => reject(new Error("TimeoutError"));

const settled = (socket: Socket | TLSSocket, event: "connect" | "secureConnect"): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    socket.once("error", reject).once("timeout", timedOut(reject));
  });

function shownBy(socket: TLSSocket): ShownCertificate {
  const { issuer, valid_to: validTo } = socket.getPeerCertificate();
  const { CN, O } = issuer;
  // a code, although its type says an Error
  const code = socket.authorizationError as unknown;
  return {
    issuer: [CN ?? O ?? "an authority without a name"].flat().join(", "),
    validTo: Date.parse(validTo),
    ...(socket.authorized ? {} : { distrusted: typeof code === "string" ? code : "unknown" }),
  };
}
