/**
 * Fields of an ErrorResponse or NoticeResponse, by their letter, read as UTF-8: `C` is the
 * SQLSTATE, `V` the severity in English, `M` the message. Of fields cut off, what there is.
 *
 * @param body without type and length.
 */
export function errorFields(body: Buffer): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const field of body.toString("utf8").split("\0")) {
    if (field === "") break;
    fields.set(field.slice(0, 1), field.slice(1));
  }
  return fields;
}

const SQLSTATE = /^[0-9A-Z]{5}$/;

/** The SQLSTATE of an ErrorResponse, or `08P01` (protocol violation) if it has none. */
export function sqlstateOf(body: Buffer): string {
  const sqlstate = errorFields(body).get("C") ?? "";
  return SQLSTATE.test(sqlstate) ? sqlstate : "08P01";
}
