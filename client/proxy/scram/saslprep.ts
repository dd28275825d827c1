const ASCII = /^[ -~]*$/;
/** RFC 3454 table C.1.2. */
const OTHER_SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu;
/** RFC 3454 table B.1. */
const MAPPED_TO_NOTHING =
  /\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200b-\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/gu;

/**
 * A password as SCRAM uses it: mapped and normalised by RFC 4013. PostgreSQL takes a password with
 * forbidden characters as it is; these are not looked for here.
 */
export const saslprep = (password: string): string =>
  ASCII.test(password)
    ? password
    : password.replace(OTHER_SPACES, " ").replace(MAPPED_TO_NOTHING, "").normalize("NFKC");
