import * as v from "valibot";
import { object, text } from "../schema/fields.ts";
import { exact } from "./exact.ts";

const part = (what: string) =>
  exact({
    pattern: /^[^\p{Cc}]{1,256}$/u,
    fault: `is not ${what}`,
    remedy: "write it as in the certificate's subject",
    anybody: "machines with other certificates",
  });

/** A machine outside AWS with a certificate, by IAM Roles Anywhere. */
export const rolesAnywhereSchema = object(
  {
    /** ARN of the trust anchor, of the stack's account and Region. */
    trustAnchorArn: text(
      /^arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:\d{12}:trust-anchor\/[0-9a-f-]{36}$/,
      "is not the ARN of a trust anchor",
      "write what `aws rolesanywhere list-trust-anchors` prints",
    ),
    /** CN of the certificate's subject. */
    commonName: part("a common name"),
    /**
     * O of the subject.
     * @default - any
     */
    organization: v.optional(part("an organization")),
    /**
     * OU of the subject.
     * @default - any
     */
    organizationalUnit: v.optional(part("an organizational unit")),
  },
  "write { trustAnchorArn, commonName }",
);

/** What is written of a machine outside AWS. */
export type RolesAnywhereIdentity = v.InferInput<typeof rolesAnywhereSchema>;
