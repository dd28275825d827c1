import * as v from "valibot";
import { parseRoleArn, reservedRole } from "../../core/aws/iam-role.ts";
import { type Field, says } from "../schema/fields.ts";

const NOT_A_ROLE = says(
  "is not a role's ARN",
  "write the role's own ARN, e.g. arn:aws:iam::111122223333:role/reporting",
);

/** What is wrong with the ARN of a role that gets policies. */
function faultOf(arn: string): string | undefined {
  const role = parseRoleArn(arn);
  if (role === undefined) return NOT_A_ROLE;
  switch (reservedRole(role)) {
    case "service-linked":
      return says(
        "is a service-linked role, to which IAM lets nobody attach a policy",
        "give the workload a role of its own",
      );
    case "identity-center":
      return says(
        "is a role of Identity Center, to which IAM lets nobody attach a policy, and its ARN changes",
        'write identityCenter: { permissionSet: "…" }',
      );
    case undefined:
      return undefined;
  }
}

/** The ARN of a role to which policies can be attached. */
export const existingRole: Field<string> = v.pipe(
  v.string(NOT_A_ROLE),
  v.check(
    (arn) => faultOf(arn) === undefined,
    ({ input }) => faultOf(input) ?? NOT_A_ROLE,
  ),
);
