import * as v from "valibot";
import { boolean, object, text } from "../schema/fields.ts";

/** A Lambda function. */
export const lambdaSchema = object(
  {
    /** Name of the function. Its log group is `/aws/lambda/<name>`. */
    functionName: text(
      /^[\w-]{1,64}$/,
      "is not a function's name",
      "write 1 to 64 letters, digits, - and _",
    ),
    /**
     * Whether the function is in a VPC: then Lambda may make its network interfaces, and the
     * function's code may not.
     * @default true, since it connects to the database
     */
    vpc: v.optional(boolean(), true),
  },
  'write { functionName: "reports" }',
);

/** What is written of a Lambda function. */
export type LambdaIdentity = v.InferInput<typeof lambdaSchema>;
