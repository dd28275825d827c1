import { AwsError, validationError } from "./aws-error.ts";

/**
 * The members of a JSON body; an empty body has none. @throws AwsError `SerializationException` if
 * it is not JSON.
 */
export function parseBody(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(body.toString() || "{}") as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new AwsError("SerializationException", String(error), { status: 400 });
  }
}

/** A decoded part of a path. @throws AwsError `ValidationException` if the encoding is wrong. */
export function decodeLabel(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw validationError(`the path has "${text}", which is not percent-encoded text`);
  }
}
