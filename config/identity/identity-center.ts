import type * as v from "valibot";
import { object } from "../schema/fields.ts";
import { exact } from "./exact.ts";

/** People of IAM Identity Center who have a permission set in the stack's account. */
export const identityCenterSchema = object(
  {
    /** Name of the permission set, which AWS makes a role of. */
    permissionSet: exact({
      pattern: /^[\w+=,.@-]{1,32}$/,
      fault: "is not a permission set's name",
      remedy: "name one permission set, without AWSReservedSSO_ and the end of the role's name",
      anybody: "people with other permission sets",
    }),
  },
  'write { permissionSet: "DatabaseAdministrator" }',
);

/** What is written of people of Identity Center. */
export type IdentityCenterIdentity = v.InferInput<typeof identityCenterSchema>;
