import { AwsError, validationError } from "./aws-error.ts";

/** The members of a JSON body; none of an empty one. @throws AwsError `SerializationException` for a body that is no JSON. */
export function parseBody(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(body.toString() || "{}") as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new AwsError("SerializationException", String(error), { status: 400 });
  }
}

/** A part of a path. @throws AwsError `ValidationException` for one that is not encoded as it must be. */
export function decodeLabel(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw validationError(`the path has "${text}", which is not percent-encoded text`);
  }
}
