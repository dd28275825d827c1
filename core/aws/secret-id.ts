/** The start of a secret's ARN and the six random characters at its end. */
const RANDOM_END = /-[A-Za-z0-9]{6}$/;
const SECRET_ARN = /^arn:[\w-]+:secretsmanager:[\w-]*:\d*:secret:/;

/**
 * Whether an id names the secret with this ARN or name, and no other secret. The id is the ARN, the
 * name, or a partial ARN. Both arguments may be partial, unless the name ends like a complete ARN:
 * Secrets Manager then looks for another secret (API reference, CreateSecret, Name).
 */
export function namesSecret(id: string, arn: string): boolean {
  if (id === arn) return true;
  if (!SECRET_ARN.test(arn)) return isNamed(id, arn);
  const short = arn.replace(RANDOM_END, "");
  if (!SECRET_ARN.test(id)) return id === short.replace(SECRET_ARN, "");
  if (short === arn) return id.replace(RANDOM_END, "") === arn;
  return id === short && !RANDOM_END.test(short);
}

/** Whether an ARN belongs to a secret of which only the name is known. */
const isNamed = (arn: string, name: string): boolean =>
  SECRET_ARN.test(arn) && arn.replace(SECRET_ARN, "").replace(RANDOM_END, "") === name;

/** Whether a text can be a secret's name, or its ARN without or with the random end. */
export const isSecretId = (text: string): boolean =>
  /^[\w/+=.@!-]{1,512}$/.test(text.replace(SECRET_ARN, ""));
