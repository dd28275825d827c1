import {
  ROLES_ANYWHERE,
  ROLES_ANYWHERE_ACTIONS,
  rolesAnywhereTrust,
} from "../../aws/trust/roles-anywhere.ts";
import { iso } from "../../time.ts";
import { broken, doubtful, type Found, fine, unclear } from "../found.ts";
import type {
  AnywhereProfileFact,
  IdentityFacts,
  TrustAnchorFact,
  TrustFact,
} from "./identity-facts.ts";
import { isSameRole } from "./role-arn.ts";
import { sessionTrustFlaws } from "./session-trust.ts";
import type { RequestKeys } from "./trust-conditions.ts";
import { showTrust } from "./web-identity-rules.ts";
import { expectedRole, isInKubernetes, tokenKind, works } from "./workload.ts";

const DAY = 86_400_000;
/** Days in which somebody should renew a certificate that lives for longer. */
const SOON = 7;

/** The machine gets its role by IAM Roles Anywhere. */
export function isAnywhere(facts: IdentityFacts): boolean {
  const { helper, certificate, trustAnchors, anywhereProfiles, trust } = facts;
  if (helper !== undefined || certificate !== undefined) return true;
  if (trustAnchors !== undefined || anywhereProfiles !== undefined) return true;
  return !isElsewhere(facts) && trust !== undefined && trustsMachines(trust);
}

/** It is no machine outside AWS. */
function isElsewhere(facts: IdentityFacts): boolean {
  const { taskDefinition, variables } = facts;
  if (isInKubernetes(facts) || tokenKind(facts) !== undefined) return true;
  return (
    taskDefinition !== undefined ||
    variables?.platform === "ecs" ||
    variables?.platform === "lambda"
  );
}

/** The role is one of machines outside AWS, and of no service of AWS beside. */
function trustsMachines({ statements }: TrustFact): boolean {
  const services = statements
    .filter(({ effect }) => effect === "Allow")
    .flatMap(({ principals }) => principals)
    .filter(({ type }) => type === "Service");
  return services.length > 0 && services.every(({ value }) => value === ROLES_ANYWHERE);
}

/** The one that the helper names, else the only one that was shown. */
function pickedOf<T extends { readonly arn: string }>(
  named: string | undefined,
  shown: readonly T[] | undefined,
): T | undefined {
  if (named !== undefined) return shown?.find(({ arn }) => arn === named);
  return shown?.length === 1 ? shown[0] : undefined;
}

const anchorOf = ({ helper, trustAnchors }: IdentityFacts): TrustAnchorFact | undefined =>
  pickedOf(helper?.trustAnchorArn, trustAnchors);

const anchorArn = (facts: IdentityFacts): string | undefined =>
  facts.helper?.trustAnchorArn ?? anchorOf(facts)?.arn;

const profileOf = ({ helper, anywhereProfiles }: IdentityFacts): AnywhereProfileFact | undefined =>
  pickedOf(helper?.profileArn, anywhereProfiles);

const idIn = (arn: string): string => arn.split("/").at(-1) ?? arn;

/** The certificate can be read, and is valid now. */
export function machineCertificate(facts: IdentityFacts): readonly Found[] {
  const { certificate, helper, now } = facts;
  if (certificate === undefined) return [];
  const subject = helper?.certificate ?? "the certificate";
  // the helper read it, whatever its format
  if (certificate.kind === "unreadable" && works(facts)) return [];
  if (certificate.kind === "unreadable")
    return certificate.code === "MALFORMED"
      ? [
          unclear(
            subject,
            "it is no certificate in PEM",
            "show it as one: openssl x509 -in <file> > machine.pem, or of a PKCS#12 file openssl pkcs12 -in <file> -clcerts -nokeys > machine.pem; and add --from machine.pem",
          ),
        ]
      : [
          broken(
            subject,
            `it cannot be read (${certificate.code})`,
            "let the user of the credential helper read it, or correct --certificate in credential_process",
          ),
        ];
  const { notBefore, notAfter } = certificate;
  const renew = "issue the next certificate by the CA of the trust anchor, with the same subject";
  if (notAfter <= now)
    return [broken(subject, `it ended at ${iso(notAfter)}; it is ${iso(now)} here`, renew)];
  if (notBefore > now)
    return [
      broken(
        subject,
        `it is valid from ${iso(notBefore)} on; it is ${iso(now)} here`,
        "set this machine's clock, or wait",
      ),
    ];
  const isShortLived = notAfter - notBefore <= 2 * SOON * DAY;
  if (notAfter - now < SOON * DAY && !isShortLived)
    return [doubtful(subject, `it ends at ${iso(notAfter)}`, renew)];
  return [fine(subject, `good until ${iso(notAfter)}, for ${nameInWords(facts)}`)];
}

function nameInWords({ certificate }: IdentityFacts): string {
  if (certificate?.kind !== "certificate") return "the machine";
  const parts = Object.entries(certificate.subject).flatMap(([type, values]) =>
    values.map((value) => `${type}=${value}`),
  );
  return parts.join(", ") || "nobody";
}

/** The trust anchor is there, on, and in the profile's Region. */
export function trustAnchor(facts: IdentityFacts): readonly Found[] {
  const { helper, trustAnchors } = facts;
  const arn = anchorArn(facts);
  if (!isAnywhere(facts) || arn === undefined) return [];
  const anchor = anchorOf(facts);
  if (trustAnchors !== undefined && anchor === undefined)
    return notShown(facts, {
      arn,
      shown: trustAnchors,
      what: "trust anchor",
      list: "list-trust-anchors",
      step: "set --trust-anchor-arn in credential_process to the one of the certificate's CA",
    });
  if (anchor?.isEnabled === false)
    return [
      broken(
        arn,
        "it is disabled",
        `aws rolesanywhere enable-trust-anchor --trust-anchor-id ${idIn(arn)}`,
      ),
    ];
  const profile = helper?.profileArn ?? profileOf(facts)?.arn;
  if (profile !== undefined && placeOf(profile) !== placeOf(arn))
    return [
      broken(
        arn,
        `it is in ${placeOf(arn)}, and the profile ${profile} in ${placeOf(profile)}`,
        `name a trust anchor and a profile of one Region and account`,
      ),
    ];
  return anchor === undefined ? [] : [fine(arn, "is enabled")];
}

/** Region and account. */
const placeOf = (arn: string): string => arn.split(":").slice(3, 5).join(" ");

/** What the helper names, and files do not have. A list is of one Region. */
function notShown(
  facts: IdentityFacts,
  {
    arn,
    shown,
    what,
    list,
    step,
  }: {
    readonly arn: string;
    readonly shown: readonly { readonly arn: string }[];
    readonly what: string;
    readonly list: string;
    readonly step: string;
  },
): readonly Found[] {
  if (works(facts)) return [];
  const others = shown.map((each) => each.arn).join(", ") || "none";
  if (shown.some((each) => placeOf(each.arn) === placeOf(arn)))
    return [broken(arn, `there is no such ${what}; there is ${others}`, step)];
  const [region = ""] = placeOf(arn).split(" ");
  return [
    unclear(
      arn,
      `there is no such ${what} in what was read, which has none of its Region and account: ${others}`,
      `aws rolesanywhere ${list} --region ${region} > ${list}.json, and add --from ${list}.json; if it is not there, ${step}`,
    ),
  ];
}

/** The profile is there, on, and lists the role. */
export function anywhereProfile(facts: IdentityFacts): readonly Found[] {
  const { helper, anywhereProfiles, trust } = facts;
  const profile = profileOf(facts);
  if (anywhereProfiles === undefined) return [];
  const named = helper?.profileArn;
  if (profile === undefined)
    return named === undefined
      ? []
      : notShown(facts, {
          arn: named,
          shown: anywhereProfiles,
          what: "profile",
          list: "list-profiles",
          step: "set --profile-arn in credential_process to the profile that lists the role",
        });
  const { arn, isEnabled, roleArns } = profile;
  if (!isEnabled)
    return [
      broken(arn, "it is disabled", `aws rolesanywhere enable-profile --profile-id ${idIn(arn)}`),
    ];
  const role = helper?.roleArn ?? expectedRole(facts)?.arn ?? trust?.roleArn;
  if (role === undefined || roleArns.some((each) => isSameRole(each, role)))
    return [fine(arn, `is enabled${role === undefined ? "" : `, and lists ${role}`}`)];
  return [
    broken(
      arn,
      `it does not list ${role}; it lists ${roleArns.join(", ") || "none"}`,
      `aws rolesanywhere update-profile --profile-id ${idIn(arn)} --role-arns ${[...roleArns, role].join(" ")}; if a stack made the profile, set --profile-arn to the output <Consumer>ProfileArn instead`,
    ),
  ];
}

/** What STS sees when IAM Roles Anywhere takes the role. */
function requestOf(facts: IdentityFacts): RequestKeys {
  const { certificate } = facts;
  const arn = anchorArn(facts);
  return (key) => {
    const name = key.toLowerCase();
    if (name === "aws:securetransport") return ["true"];
    if (name === "aws:sourcearn") return arn === undefined ? undefined : [arn];
    if (name === "aws:sourceaccount")
      return arn === undefined ? undefined : [arn.split(":")[4] ?? ""];
    const [, whose, type = ""] = PART.exec(key) ?? [];
    if (certificate?.kind !== "certificate" || whose === undefined) return undefined;
    if (profileOf(facts)?.hasOwnMapping) return undefined;
    const names = whose.toLowerCase() === "x509subject" ? certificate.subject : certificate.issuer;
    const [, values] =
      Object.entries(names).find(([each]) => each.toLowerCase() === type.toLowerCase()) ?? [];
    // OpenSSL and AWS call only these types the same
    if (values === undefined) return USUAL.has(type.toUpperCase()) ? [] : undefined;
    // how several of a type become one tag is not told here
    return values.length > 1 ? undefined : values;
  };
}

const USUAL = new Set(["CN", "O", "OU", "C", "ST", "L"]);

const PART = /^aws:PrincipalTag\/(x509Subject|x509Issuer)\/(\w+)$/i;

/** The statement that lets in this machine alone. */
export function anywhereStatement(facts: IdentityFacts): string {
  const { certificate } = facts;
  const [name] = (certificate?.kind === "certificate" ? certificate.subject.CN : undefined) ?? [];
  return JSON.stringify(
    rolesAnywhereTrust({
      trustAnchorArn: anchorArn(facts) ?? "<trust anchor ARN>",
      commonName: name ?? "<CN of the certificate>",
    }),
  );
}

/** IAM Roles Anywhere may take the role for this certificate, tag its session and name its source. */
export function anywhereTrust(facts: IdentityFacts): readonly Found[] {
  const { trust, helper, caller } = facts;
  if (!isAnywhere(facts)) return [];
  const role = trust?.roleArn ?? expectedRole(facts)?.arn ?? "the role";
  if (trust === undefined) {
    if (works(facts) || caller?.kind === "caller") return [];
    return [
      unclear(
        role,
        `its trust policy was not read; it must have the statement ${anywhereStatement(facts)}`,
        showTrust(role),
      ),
    ];
  }
  const asked = helper?.roleArn;
  if (asked !== undefined && trust.roleArn !== undefined && !isSameRole(asked, trust.roleArn))
    return [
      broken(
        role,
        `the credential helper asks for ${asked}; the role with the trust policy is ${trust.roleArn}`,
        `set --role-arn in credential_process to ${trust.roleArn}, or show the trust policy of the other`,
      ),
    ];
  const flaws = sessionTrustFlaws(facts, trust.statements, {
    service: ROLES_ANYWHERE,
    actions: ROLES_ANYWHERE_ACTIONS,
    speaker: "IAM Roles Anywhere",
    role,
    workload: nameInWords(facts),
    request: requestOf(facts),
    statement: anywhereStatement(facts),
  });
  if (flaws.length > 0) return flaws;
  const actions = ROLES_ANYWHERE_ACTIONS.join(" and ");
  return [fine(role, `its trust policy allows ${actions} to ${ROLES_ANYWHERE}`)];
}
