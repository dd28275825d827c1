import { X509Certificate } from "node:crypto";
import type {
  CertificateFact,
  DistinguishedName,
  HelperFact,
} from "../../../core/doctor/identity/identity-facts.ts";
import type { Instant } from "../../../core/time.ts";
import type { DoctorPorts } from "../doctor-ports.ts";

/** What a line of `credential_process` tells AWS's credential helper. Undefined: it is another. */
export function helperIn(line: string): HelperFact | undefined {
  const words = [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? "",
  );
  const isHelper = /aws_signing_helper(?:\.exe)?$/.test(words[0] ?? "");
  if (!isHelper || !words.includes("credential-process")) return undefined;
  const after = (name: string): string | undefined => {
    const at = words.indexOf(name);
    const joined = words.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
    return at < 0 ? joined : words[at + 1];
  };
  const all = {
    roleArn: after("--role-arn"),
    profileArn: after("--profile-arn"),
    trustAnchorArn: after("--trust-anchor-arn"),
    certificate: after("--certificate"),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** The certificate of the helper, as a file. On a token or in a store it is not looked for. */
export async function certificateOf(
  ports: DoctorPorts,
  { certificate }: HelperFact,
): Promise<CertificateFact | undefined> {
  if (certificate === undefined || /^pkcs11:/i.test(certificate)) return undefined;
  try {
    return certificateIn(await ports.readFile(certificate));
  } catch (error) {
    return { kind: "unreadable", code: String((error as NodeJS.ErrnoException).code) };
  }
}

/** The first certificate of a PEM. */
export function certificateIn(text: string): CertificateFact {
  try {
    const certificate = new X509Certificate(text);
    const { subject, issuer } = certificate.toLegacyObject();
    const [notBefore, notAfter] = [certificate.validFrom, certificate.validTo].map(
      (text) => Date.parse(text) as Instant,
    );
    if (!isTime(notBefore) || !isTime(notAfter)) return MALFORMED;
    return {
      kind: "certificate",
      subject: namesIn(subject),
      issuer: namesIn(issuer),
      notBefore,
      notAfter,
    };
  } catch {
    return MALFORMED;
  }
}

const MALFORMED: CertificateFact = { kind: "unreadable", code: "MALFORMED" };

/** OpenSSL reads a certificate whose time is none. */
const isTime = (at: Instant | undefined): at is Instant => at !== undefined && !Number.isNaN(at);

const namesIn = (names: object): DistinguishedName =>
  Object.fromEntries(
    Object.entries(names).map(([type, values]) => [type, [values].flat().map(String)]),
  );
