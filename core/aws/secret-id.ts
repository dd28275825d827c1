/** An ARN ends in six random characters, and begins with what a name lacks. */
const RANDOM_END = /-[A-Za-z0-9]{6}$/;
const SECRET_ARN = /^arn:[\w-]+:secretsmanager:[\w-]*:\d*:secret:/;

/**
 * Whether an id names the secret of that ARN or name, and can name no other: the ARN itself, the secret's
 * name, or a partial ARN. Either of the two may be partial, but not one whose name ends as if it were whole:
 * Secrets Manager takes that for another secret's (API reference, CreateSecret, Name).
 */
export function namesSecret(id: string, arn: string): boolean {
  if (id === arn) return true;
  if (!SECRET_ARN.test(arn)) return isNamed(id, arn);
  const short = arn.replace(RANDOM_END, "");
  if (!SECRET_ARN.test(id)) return id === short.replace(SECRET_ARN, "");
  if (short === arn) return id.replace(RANDOM_END, "") === arn;
  return id === short && !RANDOM_END.test(short);
}

/** Whether an ARN is of a secret that is known by its name alone. */
const isNamed = (arn: string, name: string): boolean =>
  SECRET_ARN.test(arn) && arn.replace(SECRET_ARN, "").replace(RANDOM_END, "") === name;

/** Whether a text can be a secret's name, or its ARN without or with the random end. */
export const isSecretId = (text: string): boolean =>
  /^[\w/+=.@!-]{1,512}$/.test(text.replace(SECRET_ARN, ""));
