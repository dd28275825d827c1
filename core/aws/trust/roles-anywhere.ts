import type { TrustStatement } from "./statement.ts";

/** Machines with a certificate of one trust anchor. */
export interface CertifiedMachines {
  readonly trustAnchorArn: string;
  /** The CN of the certificate's subject. */
  readonly commonName: string;
  /** Its O, if it must match too. */
  readonly organization?: string | undefined;
  /** Its OU, if it must match too. */
  readonly organizationalUnit?: string | undefined;
}

export const ROLES_ANYWHERE = "rolesanywhere.amazonaws.com";

/** It sets tags and a source identity, so it needs all three. */
export const ROLES_ANYWHERE_ACTIONS = [
  "sts:AssumeRole",
  "sts:TagSession",
  "sts:SetSourceIdentity",
] as const;

const subject = (field: string): string => `aws:PrincipalTag/x509Subject/${field}`;

/**
 * The trust of machines outside AWS: of one trust anchor, and of one subject. Without the first, a
 * certificate of any trust anchor of the account would do (IAM Roles Anywhere User Guide, "Trust
 * model").
 */
export const rolesAnywhereTrust = ({
  trustAnchorArn,
  commonName,
  organization,
  organizationalUnit,
}: CertifiedMachines): TrustStatement => ({
  Effect: "Allow",
  Principal: { Service: ROLES_ANYWHERE },
  Action: ROLES_ANYWHERE_ACTIONS,
  Condition: {
    ArnEquals: { "aws:SourceArn": trustAnchorArn },
    StringEquals: {
      [subject("CN")]: commonName,
      ...(organization !== undefined && { [subject("O")]: organization }),
      ...(organizationalUnit !== undefined && { [subject("OU")]: organizationalUnit }),
    },
  },
});
